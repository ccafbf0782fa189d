// SPDX-License-Identifier: Apache-2.0
// GuardedDepot: the store as the session sees it. Remembers failures for status(), keeps a busy or
// full database from being tried again and again, and applies at moments that suit others: what
// arrives together is applied together, when nobody is in the middle of a transaction.
#pragma once

#include <map>
#include <utility>

#include "core/exchange.hpp"
#include "engine/courtesy.hpp"
#include "engine/faults.hpp"
#include "engine/seal_schedule.hpp"
#include "mycelial/environment.hpp"
#include "storage/store.hpp"

namespace mycelial::engine {

class GuardedDepot final : public core::Depot {
 public:
  GuardedDepot(storage::Store& store, Clock& clock, Faults& faults)
      : store_(store), clock_(clock), faults_(faults) {}

  core::Site site() const override { return store_.site(); }
  const core::Have& have() const override { return store_.have(); }
  std::optional<Hash> hash_at(const core::Stream& stream, std::uint64_t seq) const override {
    return store_.hash_at(stream, seq);
  }
  std::optional<std::vector<core::UnitRef>> tail(const core::Stream& stream, std::uint64_t first,
                                                 std::uint64_t last) const override {
    return store_.tail(stream, first, last);
  }
  Result<core::UnitRef> cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                            const std::vector<Hash>& resume) override;
  core::ListSum list() override { return store_.list(); }
  std::vector<std::uint32_t> list_parts(std::size_t most, std::uint64_t since_ms) override {
    return store_.list_parts(most, since_ms);
  }
  Result<core::UnitRef> list_unit(std::span<const std::uint32_t> sums,
                                  std::uint64_t since_ms) override;
  Result<Bytes> read(const core::UnitRef& unit, std::uint64_t offset,
                     std::size_t size) const override;
  Status stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) override;
  std::vector<core::ByteRange> missing(const core::UnitRef& unit) const override {
    return store_.missing(unit);
  }
  std::vector<core::UnitRef> staged() const override { return store_.staged(); }
  void drop_staged(const Hash& unit) override { store_.drop_staged(unit); }
  Result<Applied> apply_staged() override;
  core::MemberBook* members() override { return store_.members(); }
  void become_new_site() override;

  /// True once after something arrived: when all that has come with it is staged, gathered() is to
  /// be called, and applying tried again.
  bool take_arrived() { return std::exchange(arrived_, false); }
  void gathered() { gathered_ = true; }
  /// When applying is worth another try; kNever when it has not failed.
  TimeMs retry_at() const { return retry_at_; }
  /// What failed on a peer's behalf may never be asked for again: it counts as mended after a
  /// while.
  void forget_old_failures();
  /// True once after units were applied: the store may have left work for the next seal.
  bool take_applied() { return std::exchange(applied_, false); }

 private:
  void outcome(const char* work, const Status& status) const;

  storage::Store& store_;
  Clock& clock_;
  Faults& faults_;
  Courtesy courtesy_;
  bool arrived_ = false, gathered_ = false;
  TimeMs retry_at_ = kNever;
  TimeMs backoff_ = 0;
  Status failure_;
  mutable std::map<const char*, TimeMs> failed_at_;  // by work done when peers ask
  bool applied_ = false;
};

}  // namespace mycelial::engine
