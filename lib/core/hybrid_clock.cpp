// SPDX-License-Identifier: Apache-2.0
#include "core/hybrid_clock.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace mycelial::core {
namespace {

Hlc at(std::uint64_t ms) {
  return hlc_from_ms(std::min(ms, hlc_ms(kHlcMax)));
}

}  // namespace

Hlc HybridClock::stamp_write(std::uint64_t written_ms, std::uint64_t now_ms) {
  const Hlc next = last_ < kHlcMax ? last_ + 1 : kHlcMax;
  return last_ = std::max(next, at(std::min(written_ms, now_ms)));
}

void HybridClock::observe(Hlc remote, std::uint64_t now_ms) {
  const auto bound =
      now_ms > hlc_ms(kHlcMax) - kClockBoundMs ? hlc_ms(kHlcMax) : now_ms + kClockBoundMs;
  last_ = std::max(last_, std::min(remote, at(bound)));
}

}  // namespace mycelial::core
