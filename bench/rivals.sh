#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: bench/rivals.sh FOLDER
# Puts into FOLDER what bench/rivals.py loads: crsqlite.so, built from the sources in its npm
# package, and cloudsync.so (sqlite-sync), which its package has ready-made for x86_64. Read their
# licenses, they are in FOLDER too: that of sqlite-sync is not an open-source one.
# Needs npm, a C compiler, libclang, and cargo with a nightly toolchain (RUSTUP_TOOLCHAIN).
set -euo pipefail
crsqlite=0.16.3
sqlite_sync=1.1.4
[ $# = 1 ] || { sed -n 's/^# usage/usage/p' "$0" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

fetch() {  # PACKAGE VERSION FOLDER
  mkdir -p "$3"
  tar -xzf "$(npm pack --silent "$1@$2")" -C "$3" --strip-components 1
}

fetch @sqliteai/sqlite-sync-linux-x86_64 $sqlite_sync sqlite-sync
cp sqlite-sync/cloudsync.so .

fetch @vlcn.io/crsqlite $crsqlite crsqlite
cd crsqlite
# The sources are for the nightly of 2023-10-05. Two of the features that they ask for are stable by
# now; concat_idents is gone, and was not used.
sed -i '/^#!\[feature(concat_idents)\]$/d' rs/sqlite-rs-embedded/sqlite3_capi/src/lib.rs
sed -i '/^#!\[feature(\(vec_into_raw_parts\|error_in_core\))\]$/d' \
  rs/core/src/lib.rs rs/sqlite-rs-embedded/sqlite_nostd/src/lib.rs
# What `make loadable` does, but for the commit, which a package does not know.
export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-nightly} CRSQLITE_COMMIT_SHA=$crsqlite
export CARGO_TARGET_DIR=$PWD/target RUSTFLAGS=-Awarnings
(cd rs/bundle_static &&
  cargo build -j "${JOBS:-1}" --release --locked --quiet --features loadable_extension)
${CC:-gcc} -O2 -std=c99 -fPIC -shared -Isrc -Isrc/sqlite src/crsqlite.c src/changes-vtab.c \
  src/ext-data.c target/release/libcrsql_bundle_static.a -o ../crsqlite.so
ls -l ../crsqlite.so ../cloudsync.so
