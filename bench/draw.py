#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what mycelial_growth measured: an SVG for each picture, both axes logarithmic.

usage: bench/draw.py GROWTH.json FOLDER
"""

import json
import math
import os
import sys

TITLES = {
    "rows": ("CPU time of a change, by rows of the table", "rows"),
    "history": ("CPU time of a change, by earlier updates of 10,000 rows", "updates so far"),
    "file": ("Size of the file, against plain SQLite", "rows, or updates"),
    "delay": ("Time until every replica of a fleet shows a change", "replicas"),
    "books": ("Bookkeeping in each file, by size of the fleet", "replicas"),
}
COLOURS = ["#7a7a7a", "#0b6e4f", "#c8553d", "#3066be", "#8a4fff"]
WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 44, 78


def short(n):
    """1e6 as 1M, 0.5 as 0.5."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:g}{letter}"
    return f"{n:g}"


def ticks(low, high):
    """1, 2 and 5 times powers of ten, within the bounds; powers of ten alone if those are many."""
    steps = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [m * 10.0**e for e in range(first, last + 1) for m in steps]
    return [t for t in every if low * 0.999 <= t <= high * 1.001]


class Axis:
    def __init__(self, values, begin, end, wide=False):
        self.low, self.high = min(values), max(values)
        if wide:  # at least a decade, so that noise does not look like growth
            self.low = min(self.low / 1.3, self.high / 10 if self.high > 10 else self.low / 2)
            self.high *= 1.5
        if self.low == self.high:
            self.high *= 2
        self.begin, self.end = begin, end

    def at(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + (self.end - self.begin) * part


def text(x, y, words, anchor="middle", size=12, more=""):
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{more}'
    return f"<text {place}>{words}</text>"


def picture(name, points):
    title, bottom = TITLES[name]
    x = Axis([p["x"] for p in points], LEFT, WIDTH - RIGHT)
    y = Axis([p["value"] for p in points], HEIGHT - BOTTOM, TOP, wide=True)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 24, title, "start", 15),
    ]
    for t in ticks(y.low, y.high):
        out.append(
            f'<path d="M{LEFT} {y.at(t):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            + text(LEFT - 8, y.at(t) + 4, short(t), "end")
        )
    for value in sorted({p["x"] for p in points}):
        out.append(text(x.at(value), HEIGHT - BOTTOM + 18, short(value)))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 36, bottom))
    turn = f' transform="rotate(-90 18 {HEIGHT / 2 - 20})"'
    out.append(text(18, HEIGHT / 2 - 20, points[0]["unit"].replace("us", "µs"), more=turn))
    curves = list(dict.fromkeys(p["curve"] for p in points))
    for i, curve in enumerate(curves):
        colour = COLOURS[i % len(COLOURS)] if len(curves) > 1 else COLOURS[1]
        of = [(x.at(p["x"]), y.at(p["value"])) for p in points if p["curve"] == curve]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in of)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in of]
        place = LEFT + i * (WIDTH - LEFT) / len(curves)
        out.append(
            f'<rect x="{place:.1f}" y="{HEIGHT - 26}" width="12" height="12" fill="{colour}"/>'
            + text(place + 18, HEIGHT - 16, curve, "start")
        )
    return "\n".join(out) + "\n</svg>\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as f:
        points = json.load(f)
    os.makedirs(sys.argv[2], exist_ok=True)
    for name in TITLES:
        of = [p for p in points if p["picture"] == name]
        if of:
            with open(os.path.join(sys.argv[2], f"growth-{name}.svg"), "w", encoding="utf-8") as f:
                f.write(picture(name, of))


main()
