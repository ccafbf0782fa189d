# SPDX-License-Identifier: Apache-2.0
"""Runs the snippets of a page, in order, in an empty folder.

usage: snippets.py PAGE.md

Runs fenced blocks of `sh` and `python`; a block with another word behind (`sh build`) is not run.
In shell, `COMMAND  # => TEXT` says what is printed (lines joined by blanks); it may take a while.
Ports are replaced by free ones.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

PRELUDE = """set -euo pipefail
expect() {  # wanted, command
  local got i
  for i in $(seq 1 200); do
    got=$(eval "$2" | tr '\\n' ' ' | sed 's/ *$//; s/  */ /g')
    [ "$got" = "$1" ] && { echo "$got"; return 0; }
    sleep 0.1
  done
  echo "wanted '$1' from: $2" >&2
  echo "got    '$got'" >&2
  exit 1
}
trap 'jobs -p | xargs -r kill 2> /dev/null || true' EXIT
"""


def blocks(text):
    """(language, code) of the blocks to run."""
    for info, code in re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.M | re.S):
        if info in ("sh", "python"):
            yield info, code


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def shell_line(line):
    listening = re.match(r"mycelial serve .*--listen tcp://([\d.]+):(\d+).*&$", line)
    if listening:
        host, port = listening.groups()
        return line + f"\nuntil (: > /dev/tcp/{host}/{port}) 2> /dev/null; do sleep 0.05; done"
    command, found, wanted = line.partition("# => ")
    if not found:
        return line
    quoted = command.strip().replace("'", "'\\''")
    return f"expect '{wanted.strip()}' '{quoted}'"


def script_of(text):
    """One shell script, so that jobs and files last from block to block."""
    out = [PRELUDE]
    for number, (language, code) in enumerate(blocks(text)):
        if language == "python":
            mark = f"END_OF_BLOCK_{number}"
            out.append(f"/usr/bin/python3 - <<'{mark}'\n{code}{mark}")
        else:
            out += [shell_line(line) for line in code.splitlines()]
    script = "\n".join(out) + "\n"
    for port in sorted(set(re.findall(r":(4\d\d\d)\b", text))):
        script = re.sub(rf"(?<=[:/]){port}\b", free_port(), script)
    return script


def main():
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    script = script_of(text)
    count = len(list(blocks(text)))
    if not count:
        print("nothing to run")
        return 1
    environment = dict(os.environ)
    tools = os.path.dirname(environment["MYCELIAL"])
    environment["PATH"] = tools + os.pathsep + environment["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["bash", "-x"], input=script, text=True, cwd=folder, check=False,
                              env=environment, timeout=240)
    print(f"{count} blocks, exit code {done.returncode}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
