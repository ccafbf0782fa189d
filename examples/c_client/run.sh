#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two processes, two files, rows written by Python's sqlite3: each ends with the rows of both.
set -eu
client=$1
python=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sql() {
  "$python" -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for row in db.execute(sys.argv[2]): print(*row)
db.commit()' "$@"
}
for name in a b; do
  sql "$folder/$name.db" "CREATE TABLE notes(id INTEGER PRIMARY KEY, text)"
done
mkfifo "$folder/stop"
: >"$folder/out"  # so that it is there before the client opens it
"$client" "$folder/a.db" notes listen tcp://127.0.0.1:0 <"$folder/stop" >"$folder/out" &
exec 3>"$folder/stop"
endpoint=
while [ -z "$endpoint" ]; do
  kill -0 $! || exit 1
  endpoint=$(sed -n 's/^listening on //p' "$folder/out")
done
sql "$folder/a.db" "INSERT INTO notes VALUES (1, 'from a')"
"$client" "$folder/b.db" notes sync "$endpoint"
sql "$folder/b.db" "INSERT INTO notes VALUES (2, 'from b')"
"$client" "$folder/b.db" notes sync "$endpoint"
exec 3>&-
wait $!
for name in a b; do
  rows=$(sql "$folder/$name.db" "SELECT id, text FROM notes ORDER BY id")
  [ "$rows" = "1 from a
2 from b" ] || { echo "$name.db: $rows"; exit 1; }
done
