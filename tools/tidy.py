#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the layers and the form of the sources; docs/architecture.md explains the layers.

usage: tools/tidy.py [--root FOLDER]

Prints one line per violation, `file:line: [rule] what; remedy`, and ends with 1 if there is one.
"""

import argparse
import ast
import os
import re
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

LIB = ("base", "core", "codec", "storage", "net", "runtime", "transports_local", "engine")

# Whose headers each layer may include, besides its own. "public" is include/mycelial.
MAY_INCLUDE = {
    "public": set(),
    "base": {"public"},
    "core": {"public", "base"},
    "codec": {"public", "base", "core"},
    "storage": {"public", "base", "core", "codec"},
    "net": {"public", "base"},
    "runtime": {"public", "base"},
    "transports_local": {"public", "base"},
    "engine": {"public", "base", "core", "codec", "storage", "runtime"},
    "capi": {"public"},
    "cli": {"public"},
    "examples": {"public", "capi"},
}

# Foreign headers, and the only files that may include them. Tests and benchmarks may, but for the
# ones of NOT_IN_TESTS: those go through our layers.
FOREIGN = {
    "sqlite3.h": r"lib/storage/sqlite\.hpp|examples/.*",
    "boost/": r"lib/net/.*",
    "google/protobuf/": r"lib/codec/.*\.cpp",
    "mycelial/v1/": r"lib/codec/.*\.cpp",
    "fmt/": r"(lib|bench|tests/(invisible|sim|storage)|tools/sim)/.*\.cpp",
    "blake2.h": r"lib/base/hash\.cpp",
    "gtest/": r"(?!)",
    "benchmark/": r"(?!)",
}
NOT_IN_TESTS = ("boost/", "google/protobuf/", "mycelial/v1/", "fmt/", "blake2.h")

# C and POSIX headers: the operating system. Elsewhere there is none.
OS_ALLOWED = re.compile(
    r"lib/(runtime|net)/.*|lib/storage/(files|staging)\.cpp|lib/engine/peers_file\.cpp"
    r"|tools/.*|tests/.*|bench/.*|examples/.*")
C_ALLOWED = re.compile(r"capi/include/.*|.*\.c")  # Standard C headers, where there is C.

PURE = ("public", "base", "core", "codec")
NO_THREADS = ("public", "base", "core", "codec", "storage", "capi")
CLOCKLESS = ("public", "base", "core", "codec", "storage", "capi", "engine")


class Ban(NamedTuple):
    pattern: str
    layers: tuple
    remedy: str
    allowed: str = r"(?!)"  # Files that may, in spite of all.


ALL_LIB = ("public", "capi") + LIB
EVERYWHERE = ALL_LIB + ("cli", "sim", "tests", "examples", "bench")
TESTING = r"include/mycelial/testing/.*"  # Runs in the test programs of authors of transports.

BANS = [
    Ban(r"std::chrono::(system|steady|high_resolution)_clock|\b(gettimeofday|clock_gettime)\b"
        r"|(?<![\w.>])time\((nullptr|NULL|0)\)",
        CLOCKLESS, "take the time as an argument, or ask the environment's Clock", TESTING),
    Ban(r"std::chrono::system_clock", ("net", "transports_local"),
        "it jumps; use std::chrono::steady_clock"),
    Ban(r"std::random_device|std::mt19937|(?<![\w.>:])s?rand\(",
        tuple(layer for layer in ALL_LIB if layer not in ("net",)),
        "take Entropy from the environment"),
    Ban(r"\bsleep_for\b|\bsleep_until\b|\busleep\b|\bnanosleep\b|(?<![\w.>:])(::)?sleep\(\d",
        ALL_LIB, "post a timer to the Executor"),
    Ban(r"std::(cout|cerr|clog)\b|(?<![\w.>])(std::)?(printf|puts|putchar|perror)\(|\bfprintf\(",
        ALL_LIB, "return a Status; a library does not print"),
    Ban(r"(?<![\w.>:])(std::|::)?(abort|_?exit|quick_exit|terminate)\(", ALL_LIB,
        "return a Status or poison the replica; a library does not end its host",
        r"lib/runtime/system_entropy\.cpp"),  # No entropy: better no process.
    Ban(r"std::(thread|jthread|async|mutex|shared_mutex|recursive_mutex|condition_variable)\b"
        r"|\bpthread_", NO_THREADS, "threads belong to lib/runtime and the transports", TESTING +
        r"|capi/src/(replica|transport)\.cpp"),
    Ban(r"std::atomic\b|\bthread_local\b", PURE, "this layer has no threads", TESTING),
    Ban(r"std::unordered_|\bunordered_(map|set)\b", ("core",),
        "the order of iteration must not matter: use std::map or a sorted vector"),
    Ban(r"\bstd::(i|o)?fstream\b|(?<![\w.>])(std::)?fopen\(", PURE, "no files in this layer"),
    Ban(r"(?<![\w.>])(std::|::)?getenv\(", ALL_LIB, "take an option; the environment is global"),
    Ban(r"(?<![\w.>])(std::|::)?(signal|sigaction)\(", ALL_LIB,
        "signal handlers belong to the host"),
    Ban(r"\busing namespace\b", EVERYWHERE, "name what you use",
        r"capi/src/.*\.cpp"),  # Functions of C stand outside any namespace.
    Ban(r"\bGTEST_SKIP\b|\bDISABLED_\w", EVERYWHERE, "test it or delete it"),
    Ban(r"\bsleep_for\b|\busleep\b|\bnanosleep\b|(?<![\w.>:])(::)?sleep\(\d", ("tests",),
        "wait for the event, not for the clock"),
]

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
CPP = (".cpp", ".hpp", ".c", ".h")
TEXT = CPP + (".py", ".sh", ".cmake", ".proto", ".md", ".map", ".toml", ".json", ".in",
              ".sync", ".yml")
SKIP_FOLDERS = {"build", ".git", "__pycache__", ".pytest_cache", "corpora"}


class Violation(NamedTuple):
    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.text}"


def layer_of(path: str) -> str:
    parts = path.split("/")
    if parts[0] == "lib":
        return parts[1]
    if path.startswith("include/"):
        return "public"
    if path.startswith("tools/"):
        return "cli" if parts[1] == "mycelial" else parts[1]
    return parts[0]


def blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group(0))


LITERALS = re.compile(
    r'R"(?P<tag>[^()\s\\]{0,16})\((?:.|\n)*?\)(?P=tag)"'
    r'|//[^\n]*|/\*(?:.|\n)*?\*/'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'")


def code_of(text: str) -> str:
    """The same lines, with comments and literals blanked out."""
    return LITERALS.sub(blank, text)


def check_form(path: str, lines: list) -> Iterator[Violation]:
    if len(lines) > FILE_LINES_MAX:
        yield Violation(path, len(lines), "file-length",
                        f"{len(lines)} lines, at most {FILE_LINES_MAX}; one idea per file")
    prose = path.endswith((".md", ".json"))
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield Violation(path, number, "unfinished", "finish it, or say what holds today")
        if prose:
            continue
        if len(line) > COLUMNS_MAX:
            yield Violation(path, number, "line-length",
                            f"{len(line)} columns, at most {COLUMNS_MAX}; break the line")
        if line != line.rstrip():
            yield Violation(path, number, "blanks", "blanks at the end of the line; delete them")
        if "\t" in line:
            yield Violation(path, number, "blanks", "a tab; use spaces")


def check_license(path: str, lines: list) -> Iterator[Violation]:
    if path.endswith((".md", ".json", ".sync")):
        return
    if not lines:
        return
    at = 1 if lines[0].startswith("#!") else 0
    mark = "SPDX-License-Identifier: Apache-2.0"
    if len(lines) <= at or mark not in lines[at]:
        yield Violation(path, at + 1, "license", f"the first line must say `{mark}`")


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check_include(path: str, number: int, quote: str, name: str) -> Iterator[Violation]:
    layer = layer_of(path)
    loose = layer in ("tests", "bench", "sim")
    for prefix, where in FOREIGN.items():
        if not name.startswith(prefix):
            continue
        if not re.fullmatch(where, path) and not (loose and prefix not in NOT_IN_TESTS):
            hint = "only tests may" if where == r"(?!)" else f"only {where} may"
            yield Violation(path, number, "foreign",
                            f"includes {name}; {hint.replace(chr(92), '')}: go through that layer")
        return
    if quote == "<":
        if name == "mycelial.h":
            name, quote = "capi/include/mycelial.h", '"'
        elif re.fullmatch(r"[a-z_0-9]+", name):
            return
        elif OS_ALLOWED.fullmatch(path):
            return
        elif re.fullmatch(r"(std\w+|string|assert|errno|limits|math)\.h", name) and \
                C_ALLOWED.fullmatch(path):
            return
        else:
            yield Violation(path, number, "system",
                            f"includes <{name}>; the operating system is reached through "
                            "lib/runtime, lib/net and lib/storage/files.hpp, C through <c...>")
            return
    if loose:
        return
    first = name.split("/")[0]
    other = {"mycelial": "public", "mycelial.h": "capi", "tools": "cli"}.get(first, first)
    if "/" not in name and other not in MAY_INCLUDE:
        other = layer  # A neighbour, such as "handles.hpp".
    if other != layer and other not in MAY_INCLUDE.get(layer, set()):
        may = ", ".join(sorted(MAY_INCLUDE.get(layer, set()))) or "nothing"
        yield Violation(path, number, "layer",
                        f"{layer} includes {name}; it may include {may}: declare an interface in a "
                        "lower layer instead")


def check_words(path: str, code: list) -> Iterator[Violation]:
    layer = layer_of(path)
    for ban in BANS:
        if layer not in ban.layers or re.fullmatch(ban.allowed, path):
            continue
        for number, line in enumerate(code, 1):
            found = re.search(ban.pattern, line)
            if found:
                yield Violation(path, number, "word", f"`{found.group(0)}`; {ban.remedy}")


NO_FUNCTION = re.compile(
    r"^\s*(template\s*<.*>\s*)?(inline\s+)?(typedef\s+)?"
    r"(namespace|class|struct|union|enum|extern)\b(?!.*\)\s*\{$)"
    r"|=\s*\{$|^\s*\{$|\breturn\s*\{$")


def goes_on(line: str) -> bool:
    """Whether a statement that this line begins or continues goes on after it."""
    return bool(line) and line[-1] not in ";{}" and not line.lstrip().startswith("#") and \
        not re.match(r"\s*(public|private|protected):$", line)


def check_functions(path: str, code: list) -> Iterator[Violation]:
    """The sources are formatted: a block ends at a brace that stands below its first line."""
    number = 0
    while number < len(code):
        line = code[number].rstrip()
        if not line.endswith("{") or line.lstrip().startswith("#"):
            number += 1
            continue
        start = number
        while start > 0 and goes_on(code[start - 1].rstrip()):
            start -= 1
        statement = " ".join(code[start:number + 1])
        if NO_FUNCTION.search(statement):
            number += 1
            continue
        indent = re.match(r"\s*", code[start]).group(0)
        end = number + 1
        while end < len(code) and not code[end].startswith(indent + "}"):
            end += 1
        if end - start + 1 > FUNCTION_LINES_MAX:
            yield Violation(path, start + 1, "function-length",
                            f"a function of {end - start + 1} lines, at most {FUNCTION_LINES_MAX}; "
                            "name its parts")
        number = end + 1


def check_python(path: str, text: str) -> Iterator[Violation]:
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield Violation(path, node.lineno, "function-length",
                                f"{node.name} has {length} lines, at most {FUNCTION_LINES_MAX}; "
                                "name its parts")


def check_orphans(paths: list, texts: dict) -> Iterator[Violation]:
    for path in paths:
        if not path.endswith((".cpp", ".c")):
            continue
        folders = Path(path).parents
        for folder in folders:
            lists = texts.get((folder / "CMakeLists.txt").as_posix())
            name = re.escape(Path(path).relative_to(folder).as_posix())
            if lists and re.search(rf"(?<![\w/.]){name}(?![\w/.])", lists):
                break
        else:
            yield Violation(path, 1, "orphan", "no CMakeLists.txt names it; add it or delete it")


def check_header(path: str, lines: list) -> Iterator[Violation]:
    if path.endswith(".hpp") and "#pragma once" not in lines:
        yield Violation(path, 1, "guard", "no include guard; say #pragma once")


def sources(root: Path) -> list:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders
                            if f not in SKIP_FOLDERS and not f.startswith("build"))
        for name in sorted(files):
            path = Path(folder, name)
            script = not path.suffix and path.parent.name in ("scripts", ".ci")
            if script or path.suffix in TEXT or name == "CMakeLists.txt":
                found.append(path.relative_to(root).as_posix())
    return found


def check_tree(root: Path) -> list:
    paths = sources(root)
    texts = {path: (root / path).read_text(encoding="utf-8") for path in paths}
    found = list(check_orphans(paths, texts))
    for path, text in texts.items():
        lines = text.splitlines()
        found += check_form(path, lines)
        found += check_license(path, lines)
        if path.endswith(CPP):
            code = code_of(text).splitlines()
            for number, line in enumerate(lines, 1):
                include = INCLUDE.match(line)
                if include:
                    found += check_include(path, number, *include.groups())
            found += check_header(path, lines)
            found += check_words(path, code)
            found += check_functions(path, code)
        elif path.endswith(".py"):
            found += check_python(path, text)
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    found = check_tree(parser.parse_args().root)
    for violation in found:
        print(violation)
    if found:
        print(f"tidy: {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
