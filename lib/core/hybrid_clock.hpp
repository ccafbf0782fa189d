// SPDX-License-Identifier: Apache-2.0
// Hybrid logical clock (Kulkarni et al., 2014) with bounded trust in other clocks. Time is an
// argument. Never goes back.
#pragma once

#include <cstdint>

#include "core/types.hpp"

namespace mycelial::core {

class HybridClock {
 public:
  explicit HybridClock(Hlc persisted) : last_(persisted) {}

  /// Stamp of a local write made at `written_ms` and sealed at `now_ms` (milliseconds since 1970):
  /// above all earlier ones, and never later than now unless those were.
  Hlc stamp_write(std::uint64_t written_ms, std::uint64_t now_ms);
  /// Follows a remote stamp, at most kClockBoundMs beyond now.
  void observe(Hlc remote, std::uint64_t now_ms);
  Hlc state() const { return last_; }

 private:
  Hlc last_;
};

}  // namespace mycelial::core
