// SPDX-License-Identifier: Apache-2.0
// Constants of the system, with unit and reason.
#pragma once

#include <cstdint>

namespace mycelial {

/// How far ahead of the wall clock a remote stamp may pull ours, ms. More than clocks of a fleet
/// drift apart; less than a person would notice in a log.
constexpr std::uint64_t kClockBoundMs = 60'000;

}  // namespace mycelial
