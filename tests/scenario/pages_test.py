# SPDX-License-Identifier: Apache-2.0
"""The pages about SQL and its scenarios are complete, and lead somewhere."""

import re
import unittest
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
SCRIPTS = HERE / "scripts"
PAGES = ["sql.md", "scenarios.md", "merge.md"]


def links_of(page):
    """Files that a page links, resolved."""
    text = (DOCS / page).read_text(encoding="utf-8")
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text)]
    return [(DOCS / t).resolve() for t in targets if t and "://" not in t]


def rows_of(page):
    """Cells of the rows of all tables, without heads and titles of groups."""
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split(" | ")]
        if line.startswith("| ") and cells[0] not in ("what", "---") and "**" not in cells[0]:
            yield cells


class Pages(unittest.TestCase):
    def test_links_lead_to_files(self):
        for page in PAGES:
            for path in links_of(page):
                with self.subTest(page=page):
                    self.assertTrue(path.exists(), path)

    def test_every_scenario_is_linked(self):
        linked = {path for page in PAGES for path in links_of(page)}
        scripts = {path.resolve() for path in SCRIPTS.rglob("*.sync")}
        self.assertGreater(len(scripts), 150)
        self.assertEqual(sorted(map(str, scripts - linked)), [])

    def test_every_feature_has_a_row_with_scenarios(self):
        lines = (HERE / "features.txt").read_text(encoding="utf-8").splitlines()
        rows = list(rows_of("sql.md"))
        self.assertEqual([cells[0] for cells in rows],
                         [line for line in lines if not line.startswith("#")])
        for cells in rows:
            with self.subTest(feature=cells[0]):
                self.assertRegex(cells[-1], r"\.sync\)|^\(")

    def test_every_theme_is_played(self):
        listed = re.search(r"foreach\(theme ([^)]*)\)", (HERE / "CMakeLists.txt").read_text())
        self.assertEqual(sorted(listed[1].split()), sorted(p.name for p in SCRIPTS.iterdir()))
        self.assertEqual([p for p in SCRIPTS.iterdir() if not p.is_dir()], [])


if __name__ == "__main__":
    unittest.main()
