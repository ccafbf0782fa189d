// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/context.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace mycelial::sim {

void Trace::add(std::string_view line) {
  for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  if (!print_) return;
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void Context::note(std::string_view who, std::string_view what) {
  trace.add(fmt::format("{:>4} {:>9} {}: {}", step, world.monotonic_ms(), who, what));
}

}  // namespace mycelial::sim
