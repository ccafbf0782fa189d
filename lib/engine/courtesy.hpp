// SPDX-License-Identifier: Apache-2.0
// Courtesy: how long a write of ours lets the application go first. Time only; no I/O.
#pragma once

#include "engine/seal_schedule.hpp"

namespace mycelial::engine {

class Courtesy {
 public:
  /// Whoever reads for longer is overtaken: peers must not wait for ever.
  static constexpr TimeMs kLongestMs = 250;
  static constexpr TimeMs kLookEveryMs = 1;

  /// `in_use`: somebody has a transaction open that a write would hit. True: write now. False: ask
  /// again, kLookEveryMs later.
  bool may_write(bool in_use, TimeMs now) {
    if (in_use && since_ == kNever) since_ = now;
    const bool wait = in_use && now - since_ < kLongestMs;
    if (!wait) since_ = kNever;
    return !wait;
  }

 private:
  TimeMs since_ = kNever;  // we wait
};

}  // namespace mycelial::engine
