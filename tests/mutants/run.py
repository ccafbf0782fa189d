# SPDX-License-Identifier: Apache-2.0
"""Plants the bugs of mutants.py in a copy of the sources and runs the tests until one fails.

usage: python3 tests/mutants/run.py [NAME...]
       python3 tests/mutants/run.py --random COUNT SEED [FILE...]   small bugs made by rule

(scripts/mutants installs what is needed before.)
Works in build/mutants. Exit status: 0 each was found, 1 one was not, or does not fit the sources.
"""

import subprocess
import sys
import time
from pathlib import Path

from mutants import MUTANTS
from operators import mutants as by_rule

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutants"
BUILD = COPY / "build" / "dev"
TARGETS = ["core_test", "session_test", "codec_test", "storage_test", "mycelial-scenario",
           "mycelial-sim"]


def checks():
    """What finds bugs, the quickest first."""
    tests, sim = BUILD / "tests", str(BUILD / "tools" / "mycelial-sim")
    scripts = sorted(str(p) for p in (COPY / "tests/scenario/scripts").rglob("*.sync"))
    yield "core_test", [str(tests / "core/core_test")]
    yield "session_test", [str(tests / "core/session_test")]
    yield "codec_test", [str(tests / "codec/codec_test")]
    yield "scenarios", [str(tests / "scenario/mycelial-scenario"), *scripts]
    yield "simulator", [sim, "--seeds", "1-40", "--nodes", "3", "--steps", "60"]
    yield "simulator, random tables", [sim, "--random-tables", "--seeds", "1-100", "--steps", "40"]
    yield "storage_test", [str(tests / "storage/storage_test")]
    yield "simulator, longer", [sim, "--seeds", "41-200", "--nodes", "4", "--steps", "80"]


def build():
    return subprocess.run(["cmake", "--build", str(BUILD), "--target", *TARGETS],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def prepare():
    COPY.mkdir(parents=True, exist_ok=True)
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], stdout=subprocess.PIPE,
                             check=True)
    subprocess.run(["tar", "x", "-C", str(COPY)], input=archive.stdout, check=True)
    options = ["-DMYCELIAL_BENCH=OFF", "-DMYCELIAL_WERROR=OFF"]
    subprocess.run(["cmake", "--preset", "dev", *options], cwd=COPY, stdout=subprocess.DEVNULL,
                   check=True)
    made = build()
    if made.returncode != 0:
        sys.exit(made.stdout[-3000:])


def fails(command):
    """Whether a check finds something; to hang is to fail."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=900).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def plant(name, file, before, after, what):
    path = COPY / file
    text = path.read_text()
    if text.count(before) != 1:
        return f"| {name} | {what} | DOES NOT FIT {file}, {text.count(before)} places |"
    path.write_text(text.replace(before, after))
    try:
        made = build()
        if made.returncode != 0:
            return f"| {name} | {what} | DOES NOT COMPILE |"
        for check, command in checks():
            if fails(command):
                return f"| {name} | {what} | {check} |"
        return f"| {name} | {what} | NOT FOUND |"
    finally:
        path.write_text(text)


# What is merged, sealed, applied and said. Not what only people read.
RANDOM_FILES = [
    "lib/core/*.cpp", "lib/core/policy/*.cpp", "lib/core/session/*.cpp", "lib/codec/*.cpp",
    *(f"lib/storage/{name}.cpp" for name in (
        "apply", "apply_fresh", "apply_update", "arrivals", "batch_write", "book", "capture",
        "collect", "cut", "graves", "identity", "journal", "lists", "orphans", "overruled",
        "rebuild", "replay", "returning", "row_state", "seal", "segments", "settle", "staging",
        "tail")),
]


def chosen(words):
    if words[:1] == ["--random"]:
        count, seed, files = int(words[1]), words[2], words[3:]
        files = files or [str(p.relative_to(ROOT)) for pattern in RANDOM_FILES
                          for p in sorted(ROOT.glob(pattern))]
        return list(by_rule(ROOT, files, count, seed))
    unknown = set(words) - {m[0] for m in MUTANTS}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}; see {__doc__}")
    return [m for m in MUTANTS if not words or m[0] in words]


def main():
    todo = chosen(sys.argv[1:])
    prepare()
    failed = 0
    print("| planted | which means | found by |\n| --- | --- | --- |", flush=True)
    for mutant in todo:
        start = time.time()
        line = plant(*mutant)
        failed += any(word in line for word in ("NOT FOUND", "DOES NOT"))
        print(line, flush=True)
        print(f"{mutant[0]}: {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
