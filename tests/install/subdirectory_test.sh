#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: subdirectory_test.sh SOURCE CMAKE CC CXX PYTHON FLAGS
# A project that builds the whole of mycelial with itself; from the compiler's cache what is there.
set -eu
source=$1 cmake=$2 cc=$3 cxx=$4 python=$5 flags=$6
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cache=$(command -v ccache || true)
"$cmake" -S "$source/tests/install/consumer" -B "$folder" -DMYCELIAL_SOURCE="$source" \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="$flags" -DCMAKE_C_FLAGS_RELWITHDEBINFO="$flags" \
  -DMYCELIAL_WERROR=ON -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_C_COMPILER_LAUNCHER="$cache" -DCMAKE_CXX_COMPILER_LAUNCHER="$cache" > /dev/null
"$cmake" --build "$folder" --parallel 2 > /dev/null
"$folder/two_files_mycelial" "$folder"
"$folder/two_files_static" "$folder"
"$source/examples/c_client/run.sh" "$folder/c_client" "$python"
