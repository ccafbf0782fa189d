// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/marks.hpp"

#include <array>

namespace mycelial::sim {
namespace {

constexpr auto kCount = static_cast<std::size_t>(Mark::count);

constexpr std::array<const char*, kCount> kNames = {
    "killed",
    "power lost",
    "drive full",
    "read failed",
    "write failed",
    "sync failed",
    "engine refused to start",
    "clock jumped",
    "went back to a backup",
    "joined as a copy",
    "joined empty",
    "table made anew",
    "member forgotten",
    "link severed",
    "message lost",
    "message doubled",
    "group used",
    "old messages heard",
    "stop",
    "bye",
    "compare",
    "set sent",
    "cut sent",
    "list sent",
    "new site taken",
    "deaths forgotten",
    "overtook a transaction",
    "listed: hidden",
    "listed: superseded",
    "listed: deleted",
    "listed: restored",
    "listed: orphan",
    "write visible",
    "write overwritten by who had seen it",
    "write listed",
};

std::array<std::uint64_t, kCount> counts;  // NOLINT: of the process

}  // namespace

void mark(Mark what, std::uint64_t times) {
  counts[static_cast<std::size_t>(what)] += times;
}

std::vector<std::pair<std::string, std::uint64_t>> all_marks() {
  std::vector<std::pair<std::string, std::uint64_t>> out;
  for (std::size_t i = 0; i < kCount; ++i) out.emplace_back(kNames[i], counts[i]);
  return out;
}

}  // namespace mycelial::sim
