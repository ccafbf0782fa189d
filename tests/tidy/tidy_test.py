# SPDX-License-Identifier: Apache-2.0
"""Plants one violation at a time in a small tree: tidy.py must name its file, line and rule."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import tidy  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
HASH_SPDX = "# SPDX-License-Identifier: Apache-2.0\n"
LONG_FUNCTION = "void f() {\n" + "  g();\n" * 69 + "}\n"

# path, text after the license line, line, rule.
PLANTED = [
    ("lib/core/a.cpp", '#include "storage/store.hpp"\n', 2, "layer"),
    ("lib/core/a.cpp", '#include "engine/engine.hpp"\n', 2, "layer"),
    ("lib/net/a.cpp", '#include "core/types.hpp"\n', 2, "layer"),
    ("lib/storage/a.cpp", '#include "net/loop.hpp"\n', 2, "layer"),
    ("capi/src/a.cpp", '#include "core/types.hpp"\n', 2, "layer"),
    ("tools/mycelial/a.cpp", '#include "engine/engine.hpp"\n', 2, "layer"),
    ("examples/a/a.cpp", '#include "base/bytes.hpp"\n', 2, "layer"),
    ("lib/storage/a.cpp", "#include <sqlite3.h>\n", 2, "foreign"),
    ("lib/engine/a.cpp", "#include <sqlite3.h>\n", 2, "foreign"),
    ("lib/runtime/a.cpp", "#include <boost/asio/post.hpp>\n", 2, "foreign"),
    ("lib/storage/a.cpp", '#include "mycelial/v1/wire.pb.h"\n', 2, "foreign"),
    ("lib/codec/a.hpp", '#pragma once\n#include "mycelial/v1/wire.pb.h"\n', 3, "foreign"),
    ("lib/codec/a.hpp", "#pragma once\n#include <google/protobuf/arena.h>\n", 3, "foreign"),
    ("lib/storage/a.hpp", "#pragma once\n#include <fmt/format.h>\n", 3, "foreign"),
    ("include/mycelial/a.hpp", "#pragma once\n#include <fmt/format.h>\n", 3, "foreign"),
    ("include/mycelial/a.hpp", "#pragma once\n#include <sqlite3.h>\n", 3, "foreign"),
    ("include/mycelial/a.hpp", '#pragma once\n#include "base/bytes.hpp"\n', 3, "layer"),
    ("include/mycelial/a.hpp", "#pragma once\n#include <unistd.h>\n", 3, "system"),
    ("lib/base/a.cpp", "#include <gtest/gtest.h>\n", 2, "foreign"),
    ("tests/a/a.cpp", "#include <boost/asio.hpp>\n", 2, "foreign"),
    ("lib/core/a.cpp", "#include <unistd.h>\n", 2, "system"),
    ("lib/engine/a.cpp", "#include <poll.h>\n", 2, "system"),
    ("lib/core/a.cpp", "auto t = std::chrono::steady_clock::now();\n", 2, "word"),
    ("lib/storage/a.cpp", "auto t = std::chrono::system_clock::now();\n", 2, "word"),
    ("lib/net/a.cpp", "auto t = std::chrono::system_clock::now();\n", 2, "word"),
    ("lib/core/a.cpp", "int t = time(nullptr);\n", 2, "word"),
    ("lib/core/a.cpp", "std::random_device seed;\n", 2, "word"),
    ("lib/engine/a.cpp", "int r = rand();\n", 2, "word"),
    ("lib/net/a.cpp", "std::this_thread::sleep_for(delay);\n", 2, "word"),
    ("tests/a/a.cpp", "std::this_thread::sleep_for(delay);\n", 2, "word"),
    ("lib/engine/a.cpp", "std::cout << x;\n", 2, "word"),
    ("capi/src/a.cpp", "std::fprintf(stderr, text);\n", 2, "word"),
    ("lib/storage/a.cpp", "std::abort();\n", 2, "word"),
    ("lib/base/a.cpp", "exit(1);\n", 2, "word"),
    ("lib/core/a.cpp", "std::mutex m;\n", 2, "word"),
    ("lib/storage/a.cpp", "std::thread t(run);\n", 2, "word"),
    ("lib/codec/a.cpp", "std::atomic<int> a;\n", 2, "word"),
    ("lib/core/a.cpp", "std::unordered_map<int, int> m;\n", 2, "word"),
    ("lib/core/a.cpp", "std::ifstream in(path);\n", 2, "word"),
    ("lib/engine/a.cpp", 'std::getenv("X");\n', 2, "word"),
    ("lib/runtime/a.cpp", "std::signal(SIGINT, f);\n", 2, "word"),
    ("lib/core/a.cpp", "using namespace std;\n", 2, "word"),
    ("tests/a/a.cpp", "GTEST_SKIP();\n", 2, "word"),
    ("tests/a/a.cpp", "TEST(A, DISABLED_B) {}\n", 2, "word"),
    ("lib/core/a.cpp", "// TO" "DO: later\n", 2, "unfinished"),
    ("docs/a.md", "FIX" "ME\n", 2, "unfinished"),
    ("lib/core/a.cpp", "int " + "a" * 100 + ";\n", 2, "line-length"),
    ("lib/core/a.cpp", "int a; \n", 2, "blanks"),
    ("lib/core/a.cpp", "\tint a;\n", 2, "blanks"),
    ("lib/core/a.cpp", "\n" * 800, 801, "file-length"),
    ("lib/core/a.cpp", LONG_FUNCTION, 2, "function-length"),
    ("lib/core/a.cpp", "namespace a {\nclass B {\n" + LONG_FUNCTION + "};\n}\n", 4,
     "function-length"),
    ("lib/core/a.cpp", "namespace {\nvoid A::f(int a,\n    int b) const {\n" + "  g();\n" * 69 +
     "}\n}\n", 3, "function-length"),
    ("lib/core/a.cpp", "TEST(A, B) {\n  if (a) {\n" + "    g();\n" * 70 + "  }\n}\n", 2,
     "function-length"),
    ("scripts/a.py", "def f():\n" + "    g()\n" * 70, 2, "function-length"),
    ("lib/core/a.hpp", "int a;\n", 1, "guard"),
]


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def write(self, path, text):
        at = self.root / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text, encoding="utf-8")
        if path.endswith((".cpp", ".c")):
            at.with_name("CMakeLists.txt").write_text(HASH_SPDX + f"sources({at.name})\n")

    def found(self):
        return [(v.path, v.line, v.rule) for v in tidy.check_tree(self.root)]

    def test_planted(self):
        for path, text, line, rule in PLANTED:
            with self.subTest(path=path, text=text[:60]):
                license_line = HASH_SPDX if path.endswith((".py", ".md")) else SPDX
                self.write(path, license_line + text)
                self.assertEqual(self.found(), [(path, line, rule)])
                (self.root / path).unlink()

    def test_each_rule_says_what_to_do(self):
        self.write("lib/core/a.cpp", SPDX + '#include "net/loop.hpp"\nstd::mutex m;\n')
        for violation in tidy.check_tree(self.root):
            self.assertRegex(str(violation), r"^lib/core/a\.cpp:\d+: \[\w+\] .+[;:] .+$")

    def test_license(self):
        for path in ("lib/core/a.cpp", "cmake/a.cmake", "a.py", "scripts/a", "a/b.proto",
                     "lib/CMakeLists.txt", "a.sh"):
            with self.subTest(path=path):
                self.write(path, "#!/bin/sh\necho\n" if path.startswith("scripts") else "a\n")
                line = 2 if path.startswith("scripts") else 1
                self.assertEqual(self.found(), [(path, line, "license")])
                (self.root / path).unlink()

    def test_orphan(self):
        self.write("lib/core/session/a.cpp", SPDX)
        (self.root / "lib/core/session/CMakeLists.txt").unlink()
        self.assertEqual(self.found(), [("lib/core/session/a.cpp", 1, "orphan")])
        lists = self.root / "lib/core/CMakeLists.txt"
        lists.write_text(HASH_SPDX + "sources(a.cpp other/session/a.cpp)\n")
        self.assertEqual(self.found(), [("lib/core/session/a.cpp", 1, "orphan")])
        lists.write_text(HASH_SPDX + "sources(session/a.cpp)\n")
        self.assertEqual(self.found(), [])

    def test_comments_and_literals_are_no_code(self):
        self.write("lib/core/a.cpp", SPDX + '// std::mutex, time(nullptr)\n/* std::thread\n'
                   'exit(1) */\nauto s = "std::cout"; auto r = R"x(std::atomic)x";\n'
                   "int n = 1'000'000;\n")
        self.assertEqual(self.found(), [])

    def test_what_is_allowed(self):
        self.write("lib/storage/sqlite.hpp", SPDX + "#pragma once\n#include <sqlite3.h>\n")
        self.write("lib/codec/a.cpp", SPDX + '#include "mycelial/v1/unit.pb.h"\n'
                   '#include "core/types.hpp"\n#include <unordered_map>\n')
        self.write("lib/net/a.cpp", SPDX + "#include <boost/asio.hpp>\n#include <netdb.h>\n")
        self.write("tests/a/a.cpp", SPDX + "#include <sqlite3.h>\n#include <gtest/gtest.h>\n"
                   '#include "storage/store.hpp"\n')
        self.write("lib/core/b.cpp", SPDX + "namespace a {\n" + "void f() {\n  g();\n}\n" * 40 +
                   "}\n" + "class B {\n" + "  int a;\n" * 80 + "};\nint t[] = {\n" + "  1,\n" * 80 +
                   "};\n" + "x.exit();\nrun.time(0);\n")
        self.assertEqual(self.found(), [])


if __name__ == "__main__":
    unittest.main()
