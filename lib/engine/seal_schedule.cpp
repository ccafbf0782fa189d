// SPDX-License-Identifier: Apache-2.0
#include "engine/seal_schedule.hpp"

#include <algorithm>
#include <iterator>

namespace mycelial::engine {
namespace {

constexpr TimeMs kLookAgainMs[] = {3, 20, 150};
constexpr TimeMs kSizeCheckMs = 3000;
constexpr std::uint32_t kBackoffMinMs = 20;
constexpr std::uint32_t kBackoffMaxMs = 5000;
// A writer that never pauses must not put sealing off for ever.
constexpr TimeMs kDebouncesMax = 5;

}  // namespace

void SealSchedule::announced(TimeMs now) {
  again_step_ = 0;
  again_at_ = now;
}

void SealSchedule::looked(bool changed, TimeMs now) {
  poll_at_ = now + poll_;
  if (changed) dirty(now);
  if (again_at_ > now) return;
  again_at_ = again_step_ < std::size(kLookAgainMs) ? now + kLookAgainMs[again_step_++] : kNever;
}

void SealSchedule::dirty(TimeMs now) {
  if (!dirty_) first_ = now;
  dirty_ = true;
  last_ = now;
  if (size_check_at_ == kNever) size_check_at_ = std::max(now, size_checked_ + kSizeCheckMs);
}

void SealSchedule::sealed() {
  dirty_ = false;
  backoff_ = 0;
  not_before_ = 0;
  size_check_at_ = kNever;
}

void SealSchedule::seal_failed(TimeMs now) {
  backoff_ = std::clamp(backoff_ * 2, kBackoffMinMs, kBackoffMaxMs);
  not_before_ = now + backoff_;
}

void SealSchedule::postponed(TimeMs now) {
  size_checked_ = now;
  size_check_at_ = kNever;
}

TimeMs SealSchedule::look_at() const {
  return std::min(poll_at_, again_at_);
}

TimeMs SealSchedule::seal_at() const {
  if (!dirty_) return kNever;
  if (!links_) return size_check_at_ == kNever ? kNever : std::max(size_check_at_, not_before_);
  return std::max(std::min(last_ + debounce_, first_ + kDebouncesMax * debounce_), not_before_);
}

}  // namespace mycelial::engine
