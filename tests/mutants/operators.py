# SPDX-License-Identifier: Apache-2.0
"""Small bugs, made by rule: a sign, a condition, a bound, a statement that is missing."""

import random
import re

SWAPS = [(" == ", " != "), (" < ", " <= "), (" > ", " >= "), (" && ", " || "), ("max(", "min("),
         ("true", "false"), (" + 1", ""), (" - 1", ""), ("++", "--"), ("+= ", "-= ")]
RULES = SWAPS + [(b, a) for a, b in SWAPS if b]
CONDITION = re.compile(r"\bif \((?!const |auto )([^;{}]*)\)( \{| return| continue| break|$)")
STATEMENT = re.compile(r"^\s+(?!return\b|const\b|auto\b|std::\w+ \w|using\b|throw\b|case\b|break)"
                       r"[\w:.>()\[\]-]+(\(.*\)| [|+-]?= .*);$")


def places(text):
    """(line, how it could be, what that is) for each line of a function."""
    inside = 0
    for number, line in enumerate(text.split("\n")):
        code = line.split("//")[0]
        if not line or line[0] in "/#n" or line.startswith("using"):
            continue
        if not line.startswith(" "):
            inside = 1
            continue
        if not inside or '"' in code:
            continue
        for before, after in RULES:
            at = code.find(before)
            if at >= 0 and "<" not in code[:at].split(" ")[-1]:
                yield number, line[:at] + after + line[at + len(before):], f"{before}->{after}"
        found = CONDITION.search(code)
        if found and "=" not in re.sub(r"[=!<>]=", "", found[1]) and found[1].count("(") == \
                found[1].count(")"):
            yield (number, f"{line[:found.start()]}if (!({found[1]})){found[2]}"
                   f"{line[found.end():]}", "not")
        if STATEMENT.match(code):
            yield number, "", "without it"


def mutants(root, files, count, seed):
    """`count` of all that could be made, drawn by `seed`: as in mutants.py."""
    all_of_them = []
    for file in files:
        text = (root / file).read_text()
        for number, line, what in places(text):
            all_of_them.append((file, number, line, what))
    rng = random.Random(seed)
    for file, number, line, what in rng.sample(all_of_them, min(count, len(all_of_them))):
        lines = (root / file).read_text().split("\n")
        before = "\n".join(lines)
        lines[number], old = line, lines[number]
        name = f"{file}:{number + 1}"
        yield name, file, before, "\n".join(lines), f"`{old.strip()}`: {what}"
