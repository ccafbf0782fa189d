#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The library exports the functions of mycelial.h and namespace mycelial, nothing else; and every
# declaration says noexcept to C++ (the compiler then demands it of the definition).
set -eu
library=$1
header=$2/include/mycelial.h
wanted=$(grep -o '\bmycelial_[a-z_]*(' "$header" | tr -d '(' | sort -u)
given=$(nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' |
  grep '^mycelial_' | sort -u)
if [ "$wanted" != "$given" ]; then
  echo "declared:" $wanted
  echo "exported:" $given
  exit 1
fi
foreign=$(nm -D --defined-only "$library" | awk '$2 ~ /[TDBR]/ {print $3}' |
  grep -v -e '^mycelial_' -e '^_ZNK*8mycelial' || true)
if [ -n "$foreign" ]; then
  echo "exported besides:" $foreign
  exit 1
fi
declared=$(grep -c '^MYCELIAL_CAPI' "$header")
noexcept=$(grep -c 'MYCELIAL_NOEXCEPT;' "$header")
if [ "$declared" != "$noexcept" ]; then
  echo "$declared functions are declared, $noexcept of them noexcept"
  exit 1
fi
