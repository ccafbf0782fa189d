#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One seed is one history: usage same_trace.sh MYCELIAL-SIM
set -eu
for seed in 7 8 9; do
  first=$("$1" --seed $seed --nodes 4 --steps 60)
  again=$("$1" --seed $seed --nodes 4 --steps 60)
  echo "$first"
  [ "$first" = "$again" ] || { echo "another history: $again"; exit 1; }
  case $first in *trace*) ;; *) echo "no trace"; exit 1 ;; esac
done
