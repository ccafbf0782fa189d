// SPDX-License-Identifier: Apache-2.0
// Backoff: how long to wait before the next attempt. Doubles up to a maximum; a random part keeps
// a fleet that lost its peer from coming back all at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace mycelial::net {

class Backoff {
 public:
  Backoff(std::uint32_t min_ms, std::uint32_t max_ms, std::uint32_t seed)
      : min_ms_(std::max<std::uint32_t>(min_ms, 1)),
        max_ms_(std::max(max_ms, min_ms_)),
        delay_ms_(min_ms_),
        random_(seed) {
    random_.discard(2);  // the first numbers of seeds that are close are close
  }

  /// Between half of the present delay and the whole of it.
  std::chrono::milliseconds next() {
    const std::uint32_t whole = delay_ms_;
    delay_ms_ = whole > max_ms_ / 2 ? max_ms_ : whole * 2;
    std::uniform_int_distribution<std::uint32_t> spread(whole - whole / 2, whole);
    return std::chrono::milliseconds(spread(random_));
  }
  void reset() { delay_ms_ = min_ms_; }

 private:
  std::uint32_t min_ms_;
  std::uint32_t max_ms_;
  std::uint32_t delay_ms_;
  std::minstd_rand random_;
};

}  // namespace mycelial::net
