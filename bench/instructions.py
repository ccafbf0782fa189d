#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of the hot paths and compares them with bench/instructions.txt.

usage: bench/instructions.py PROGRAM BASELINE [--write]

Fails above +5 %. A change that is worth more instructions writes the baseline anew (--write), in
the same commit, and says why. Counts depend on the compiler and on SQLite: on others than those of
the baseline there is nothing to compare with, and the exit code is 77. So it is without valgrind.
"""

import glob
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

BOUND = 1.05
SKIPPED = 77


def versions(program):
    """What the counts depend on."""
    with open(program, "rb") as f:
        compiler = re.search(rb"GCC: \([^)]*\) [0-9.]+", f.read())
    compiler = compiler.group().decode() if compiler else "unknown compiler"
    return f"# {compiler}, SQLite {sqlite3.sqlite_version}, {os.uname().machine}"


def counted(program):
    """Instructions by name."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--instr-atstart=no",
                f"--callgrind-out-file={folder}/out",
                program,
            ],
            check=True,
            capture_output=True,
        )
        out = {}
        for path in glob.glob(f"{folder}/out.*"):
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
            total = re.search(r"^(?:summary|totals): (\d+)", text, re.M)
            if name and total:
                out[name.group(1)] = int(total.group(1))
        return out


def main():
    if len(sys.argv) not in (3, 4) or (len(sys.argv) == 4 and sys.argv[3] != "--write"):
        sys.exit(__doc__)
    program, baseline = sys.argv[1:3]
    if not shutil.which("valgrind"):
        print("valgrind is not installed: nothing was counted")
        return SKIPPED
    here = versions(program)
    with open(baseline, encoding="ascii") as f:
        lines = f.read().splitlines()
    if len(sys.argv) == 3 and lines[0] != here:
        print(f"the baseline is of\n{lines[0]}\nand this is\n{here}")
        return SKIPPED
    now = counted(program)
    if len(sys.argv) == 4:
        with open(baseline, "w", encoding="ascii") as f:
            f.write("\n".join([here] + [f"{n}\t{name}" for name, n in sorted(now.items())]) + "\n")
        return 0
    before = {name: int(n) for n, name in (line.split("\t") for line in lines[1:])}
    failed = set(before) != set(now)
    if failed:
        print("other paths are counted than the baseline has: write it anew")
    for name in sorted(set(before) & set(now)):
        ratio = now[name] / before[name]
        worse = ratio > BOUND
        failed |= worse
        print(f"{name:16}{now[name]:14,} {ratio - 1:+8.2%}{'  MORE' if worse else ''}")
    return int(failed)


sys.exit(main())
