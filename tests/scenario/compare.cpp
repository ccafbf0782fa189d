// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/compare.hpp"

#include <algorithm>

namespace mycelial::scenario {
namespace {

constexpr char kAnything[] = "...";

std::string told(const std::vector<std::string>& expected, const std::vector<std::string>& got) {
  return "expected\n" + listing(expected) + "\nbut got\n" + listing(got);
}

}  // namespace

bool matches(const std::string& pattern, const std::string& text) {
  const auto gap = pattern.find(kAnything);
  if (gap == std::string::npos) return pattern == text;
  if (text.compare(0, gap, pattern, 0, gap) != 0) return false;
  const std::string rest = pattern.substr(gap + 3);
  for (std::size_t at = gap; at <= text.size(); ++at) {
    if (matches(rest, text.substr(at))) return true;
  }
  return false;
}

std::string listing(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += (out.empty() ? "  = " : "\n  = ") + line;
  return out.empty() ? "  = (none)" : out;
}

std::string compare_rows(std::vector<std::string> expected, std::vector<std::string> rows,
                         bool in_order) {
  auto a = expected, b = rows;
  if (!in_order) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
  }
  return a == b ? "" : told(expected, rows);
}

std::string compare_lines(const std::vector<std::string>& patterns,
                          const std::vector<std::string>& lines) {
  auto left = lines;
  for (const auto& pattern : patterns) {
    const auto found = std::find_if(
        left.begin(), left.end(), [&](const std::string& line) { return matches(pattern, line); });
    if (found == left.end()) return told(patterns, lines);
    left.erase(found);
  }
  return left.empty() ? "" : told(patterns, lines);
}

}  // namespace mycelial::scenario
