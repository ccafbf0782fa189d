// SPDX-License-Identifier: Apache-2.0
// mycelial-scenario: plays .sync scripts; docs/scenarios.md describes their language.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/scenario/player.hpp"

namespace {

namespace fs = std::filesystem;
using mycelial::scenario::Failure;

constexpr char kHelp[] = R"(usage: mycelial-scenario FILE|FOLDER...
Plays scenario scripts (*.sync, also in folders below) in virtual time, and says
where one does not do what it says. docs/scenarios.md describes the language.

Exit status: 0 all did, 1 one did not, 2 wrong usage.
)";

std::vector<std::string> scripts_in(const std::string& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.path().extension() == ".sync") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool succeeds(const std::string& path) {
  try {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw Failure(0, "cannot be read");
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    mycelial::scenario::play(mycelial::scenario::parse(text));
    return true;
  } catch (const Failure& f) {
    std::printf("%s:%d: %s\n", path.c_str(), f.line, f.what());
  } catch (const std::exception& e) {
    std::printf("%s: %s\n", path.c_str(), e.what());
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty() || arguments[0].starts_with('-')) {
    std::fputs(kHelp, arguments.empty() ? stderr : stdout);
    return arguments.empty() || arguments[0] != "--help" ? 2 : 0;
  }
  std::size_t played = 0, failed = 0;
  for (const auto& argument : arguments) {
    for (const auto& path : scripts_in(argument)) {
      ++played;
      failed += succeeds(path) ? 0 : 1;
    }
  }
  std::printf("%zu scenarios played, %zu failed\n", played, failed);
  return failed == 0 && played > 0 ? 0 : 1;
}
