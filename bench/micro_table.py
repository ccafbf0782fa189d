# SPDX-License-Identifier: Apache-2.0
"""Prints what Google Benchmark wrote as JSON as a table: python3 micro_table.py FILE"""
import json
import sys


def rate(value):
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}/s"
    return f"{value:.3g} /s"


def main():
    with open(sys.argv[1]) as file:
        runs = json.load(file)["benchmarks"]
    medians = {r["run_name"]: r for r in runs if r.get("aggregate_name") == "median"}
    spreads = {r["run_name"]: r for r in runs if r.get("aggregate_name") == "cv"}
    print("| what | time | rows | spread |\n|---|---|---|---|")
    for name, run in medians.items():
        items = rate(run["items_per_second"]) if "items_per_second" in run else ""
        spread = spreads[name]["cpu_time"] * 100
        print(f"| {name} | {run['cpu_time']:.3g} {run['time_unit']} | {items} | {spread:.1f} % |")


if __name__ == "__main__":
    main()
