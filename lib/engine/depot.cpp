// SPDX-License-Identifier: Apache-2.0
#include "engine/depot.hpp"

#include <algorithm>
#include <utility>

namespace mycelial::engine {
namespace {
constexpr TimeMs kBackoffMinMs = 20;
constexpr TimeMs kBackoffMaxMs = 5000;
constexpr TimeMs kForgetMs = 60'000;
constexpr char kCut[] = "making a snapshot for a peer";
constexpr char kList[] = "listing conflicts for a peer";
constexpr char kRead[] = "reading a change set";
constexpr char kStage[] = "keeping what a peer sent";
}  // namespace

void GuardedDepot::outcome(const char* work, const Status& status) const {
  faults_.outcome(work, status);
  if (status.ok()) {
    failed_at_.erase(work);
  } else {
    failed_at_[work] = clock_.monotonic_ms();
  }
}

void GuardedDepot::forget_old_failures() {
  const TimeMs now = clock_.monotonic_ms();
  std::erase_if(failed_at_, [&](const auto& failure) {
    const bool old = now - failure.second >= kForgetMs;
    if (old) faults_.outcome(failure.first, {});
    return old;
  });
}

Result<core::UnitRef> GuardedDepot::cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                                        const std::vector<Hash>& resume) {
  auto unit = store_.cut(tips, resume);
  // Whoever needs it asks again; if nobody does, nobody would ever tell that the lock has gone.
  if (unit.status().code() != Errc::busy) outcome(kCut, unit.status());
  return unit;
}

Result<core::UnitRef> GuardedDepot::list_unit(std::span<const std::uint32_t> sums,
                                              std::uint64_t since_ms) {
  auto unit = store_.list_unit(sums, since_ms);
  if (unit.status().code() != Errc::busy) outcome(kList, unit.status());
  return unit;
}

Result<Bytes> GuardedDepot::read(const core::UnitRef& unit, std::uint64_t offset,
                                 std::size_t size) const {
  auto bytes = store_.read(unit, offset, size);
  // A set that has left the tail while it was sent is nothing wrong: a cut brings what was in it.
  if (bytes.status().code() != Errc::not_found) outcome(kRead, bytes.status());
  return bytes;
}

Status GuardedDepot::stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) {
  Status status = store_.stage(unit, offset, bytes);
  outcome(kStage, status);
  return status;
}

Result<core::Depot::Applied> GuardedDepot::apply_staged() {
  const TimeMs now = clock_.monotonic_ms();
  if (retry_at_ != kNever && now < retry_at_) return failure_;
  if (!std::exchange(gathered_, false)) {
    arrived_ = true;
    return Status(Errc::busy, "more may be arriving");
  }
  if (!courtesy_.may_write(store_.in_use(), now)) {
    failure_ = Status(Errc::busy, "the application is in the middle of a transaction");
    retry_at_ = now + Courtesy::kLookEveryMs;
    return failure_;
  }
  auto applied = store_.apply_staged();
  faults_.outcome("applying what a peer sent", applied.status());
  if (!applied.ok()) {
    failure_ = applied.status();
    backoff_ = std::clamp(backoff_ * 2, kBackoffMinMs, kBackoffMaxMs);
    retry_at_ = clock_.monotonic_ms() + backoff_;
    return applied;
  }
  retry_at_ = kNever;
  backoff_ = 0;
  if (!applied->units.empty()) applied_ = true;
  for (const auto& [unit, reason] : applied->rejected) {
    faults_.note("a change set of site " + unit.stream.site.hex() + " (number " +
                 std::to_string(unit.last) + ") was refused: " + reason.to_string());
  }
  return applied;
}

void GuardedDepot::become_new_site() {
  const std::string before = store_.site().hex();
  store_.become_new_site();
  faults_.note("another copy of this file went on as site " + before +
               "; this one is a site of its own now");
}

}  // namespace mycelial::engine
