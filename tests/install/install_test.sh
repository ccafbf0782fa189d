#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: install_test.sh VERSION BUILD SOURCE CMAKE CC CXX PYTHON
# Installs into an empty folder, moves that elsewhere, and uses it as strangers do: the command;
# each header alone; C++ and C by find_package; C99 by pkg-config; shared and static.
set -eu
version=$1 build=$2 source=$3 cmake=$4 cc=$5 cxx=$6 python=$7
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$cmake" --install "$build" --prefix "$folder/first" > /dev/null
mv "$folder/first" "$folder/usr"
usr=$folder/usr

says() {  # what, text...
  [ "$1" = "$2" ] || { echo "wanted '$2', got '$1'"; exit 1; }
}
says "$("$usr/bin/mycelial" --version)" "mycelial $version"

for header in $(cd "$usr/include" && find . -name '*.hpp' -o -name '*.h'); do
  echo "#include <${header#./}>" > "$folder/alone.cpp"
  "$cxx" -std=c++20 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$usr/include" \
    "$folder/alone.cpp"
done
says "$(cd "$usr/include" && find . -type f | sort)" \
  "$( (cd "$source/include" && find . -type f && cd "$source/capi/include" && find . -type f) |
    sort)"

"$cmake" -S "$source/tests/install/consumer" -B "$folder/consumer" -DCMAKE_PREFIX_PATH="$usr" \
  -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" > /dev/null
"$cmake" --build "$folder/consumer" > /dev/null
"$folder/consumer/two_files_mycelial" "$folder"
"$folder/consumer/two_files_static" "$folder"
"$source/examples/c_client/run.sh" "$folder/consumer/c_client" "$python"

PKG_CONFIG_PATH=$(dirname "$(find "$usr" -name mycelial.pc)")
export PKG_CONFIG_PATH
says "$(pkg-config --modversion mycelial)" "$version"
# shellcheck disable=SC2046
"$cc" -std=c99 -Wall -Wextra -pedantic -Werror "$source/examples/c_client/c_client.c" \
  -o "$folder/c_shared" $(pkg-config --cflags --libs mycelial)
LD_LIBRARY_PATH=$(pkg-config --variable=libdir mycelial) \
  "$source/examples/c_client/run.sh" "$folder/c_shared" "$python"
# Without the shared library the linker takes the archive.
find "$usr" -name 'libmycelial.so*' -delete
"$cc" -std=c99 -Wall -Wextra -pedantic -Werror "$source/examples/c_client/c_client.c" \
  -o "$folder/c_static" $(pkg-config --static --cflags --libs mycelial)
"$source/examples/c_client/run.sh" "$folder/c_static" "$python"
