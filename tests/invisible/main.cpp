// SPDX-License-Identifier: Apache-2.0
// mycelial-invisible: random schemas and SQL on a tracked and an untracked database;
// docs/invisible.md says what may differ.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/invisible/generator.hpp"
#include "tests/invisible/shrink.hpp"

namespace mycelial::invisible {
namespace {

struct Options {
  std::uint64_t first = 1, last = 1;
  std::size_t statements = 200;
  bool verbose = false, with_peer = true;
  int tries = 400;
  std::string script;  ///< A file to play instead: a statement per line.
};

struct Totals {
  std::uint64_t statements = 0, refused = 0;
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--verbose") {
      o.verbose = true;
    } else if (name == "--no-peer") {
      o.with_peer = false;
    } else if (i + 1 >= argc) {
      return false;
    } else if (name == "--seeds") {
      const std::string range = argv[++i];
      const auto dash = range.find('-');
      o.first = std::strtoull(range.c_str(), nullptr, 10);
      o.last = dash == std::string::npos ? o.first
                                         : std::strtoull(range.c_str() + dash + 1, nullptr, 10);
    } else if (name == "--statements") {
      o.statements = std::strtoull(argv[++i], nullptr, 10);
    } else if (name == "--play") {
      o.script = argv[++i];
    } else if (name == "--tries") {
      o.tries = std::atoi(argv[++i]);
    } else {
      return false;
    }
  }
  return true;
}

/// Makes a script while it runs: what comes next depends on what the schema is by then.
std::string make(std::uint64_t seed, const Options& o, const std::string& folder, Script& script,
                 Totals& totals) {
  const bool careful = seed % 2 == 0;
  Generator generator(seed, careful);
  Pair pair(folder);
  std::string wrong;
  const auto run = [&](const std::string& statement) {
    if (!wrong.empty()) return;
    script.push_back(statement);
    if (o.verbose) fmt::print("{}\n", statement);
    wrong = pair.step(statement);
    ++totals.statements;
  };
  for (const auto& s : generator.schema()) run(s);
  generator.look(pair.plain());
  for (const auto& s : generator.before_track()) run(s);
  generator.look(pair.plain());
  for (const auto& s : generator.rows()) run(s);
  run(careful ? kTrack : kTrackBeside);
  std::size_t compared = 0;
  while (wrong.empty() && script.size() < o.statements) {
    for (const auto& s : generator.next(pair.plain())) run(s);
    generator.look(pair.plain());
    if (wrong.empty() && script.size() - compared >= 10) {
      compared = script.size();
      wrong = pair.compare_rows();
    }
  }
  if (wrong.empty()) wrong = pair.compare_rows();
  if (wrong.empty() && o.with_peer) {
    if (pair.in_transaction()) run("ROLLBACK");
    wrong = pair.sync();
  }
  totals.refused += pair.refused().size();
  return wrong;
}

void print(const Script& script) {
  for (const auto& s : script) fmt::print("{};\n", s);
}

void report(std::uint64_t seed, const Script& script, const std::string& wrong, const Options& o,
            const std::string& folder) {
  std::size_t at = 0;
  fmt::print("seed {} differs:\n{}\n", seed, wrong);
  auto exact = play(script, folder, true, o.with_peer, at);
  if (exact.empty()) fmt::print("(but not when the script is played again)\n");
  if (at < script.size()) fmt::print("first at: {}\n{}\n", script[at], exact);
  fmt::print("the whole script:\n");
  print(script);
  const auto shorter = shrink(
      script, [&](const Script& s) { return !play(s, folder, true, o.with_peer, at).empty(); },
      o.tries);
  exact = play(shorter, folder, true, o.with_peer, at);
  fmt::print("shrunk; it differs at {}:\n{}",
             at < shorter.size() ? shorter[at] : std::string("the end"), exact);
  print(shorter);
}

/// Of a file that a report was copied to.
int play_file(const Options& o, const std::string& folder) {
  std::ifstream in(o.script);
  Script script;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == ';') line.pop_back();
    if (!line.empty()) script.push_back(line);
  }
  std::size_t at = 0;
  const auto wrong = play(script, folder, true, o.with_peer, at);
  if (wrong.empty()) return 0;
  fmt::print("differs at {}:\n{}", at < script.size() ? script[at] : "the end", wrong);
  return 1;
}

int run(const Options& o) {
  const auto folder = std::filesystem::temp_directory_path().string();
  if (!o.script.empty()) return play_file(o, folder);
  Totals totals;
  int failed = 0;
  for (auto seed = o.first; seed <= o.last; ++seed) {
    Script script;
    const auto wrong = make(seed, o, folder, script, totals);
    if (wrong.empty()) continue;
    ++failed;
    report(seed, script, wrong, o, folder);
  }
  fmt::print("{} seeds, {} statements, {} tables refused, {} seeds differ\n", o.last - o.first + 1,
             totals.statements, totals.refused, failed);
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace mycelial::invisible

int main(int argc, char** argv) {
  mycelial::invisible::Options options;
  if (!mycelial::invisible::parse(argc, argv, options)) {
    std::fputs(
        "usage: mycelial-invisible --seeds A-B --statements N [--verbose] [--no-peer] "
        "[--tries N]\n       mycelial-invisible --play FILE [--no-peer]\n",
        stderr);
    return 2;
  }
  try {
    return mycelial::invisible::run(options);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  }
}
