#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: amalgamation_test.sh SOURCE CMAKE CC CXX
# MYCELIAL_SQLITE_AMALGAMATION=FOLDER configures, whatever the sources are, and says what it misses.
set -eu
source=$1 cmake=$2 cc=$3 cxx=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
configure() {
  "$cmake" -S "$source" -B "$folder/build" -DMYCELIAL_SQLITE_AMALGAMATION="$folder" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DMYCELIAL_TESTS=OFF \
    -DMYCELIAL_EXAMPLES=OFF > "$folder/said" 2>&1
}
touch "$folder/sqlite3.h"
if configure; then echo "configured without sqlite3.c"; exit 1; fi
grep -q 'there is no sqlite3.c in' "$folder/said" || { cat "$folder/said"; exit 1; }
touch "$folder/sqlite3.c"
configure || { cat "$folder/said"; exit 1; }
