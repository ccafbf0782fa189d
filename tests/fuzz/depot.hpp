// SPDX-License-Identifier: Apache-2.0
// Change sets in memory: a depot that checks chains and nothing else.
#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "core/exchange.hpp"

namespace mycelial::fuzz {

core::Site site(std::uint8_t fill);

/// A change set with an opaque body.
struct Set {
  core::UnitRef ref;
  Bytes bytes;
};
/// The next set of a stream.
Set make_set(const core::Stream& stream, const core::Tip& before, ByteView body);

class MemoryDepot final : public core::Depot {
 public:
  explicit MemoryDepot(const core::Site& self) : site_(self) {}

  core::UnitRef seal();  ///< A local write.

  core::Site site() const override { return site_; }
  const core::Have& have() const override { return have_; }
  std::optional<Hash> hash_at(const core::Stream& stream, std::uint64_t seq) const override;
  std::optional<std::vector<core::UnitRef>> tail(const core::Stream& stream, std::uint64_t first,
                                                 std::uint64_t last) const override;
  Result<core::UnitRef> cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                            const std::vector<Hash>& resume) override;
  core::ListSum list() override { return {listed_.size(), 0}; }
  std::vector<std::uint32_t> list_parts(std::size_t parts, std::uint64_t) override {
    return std::vector<std::uint32_t>(parts, static_cast<std::uint32_t>(listed_.size()));
  }
  Result<core::UnitRef> list_unit(std::span<const std::uint32_t> sums,
                                  std::uint64_t since_ms) override;
  Result<Bytes> read(const core::UnitRef& unit, std::uint64_t offset,
                     std::size_t size) const override;
  Status stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) override;
  std::vector<core::ByteRange> missing(const core::UnitRef& unit) const override;
  std::vector<core::UnitRef> staged() const override;
  void drop_staged(const Hash& unit) override { staging_.erase(unit); }
  Result<Applied> apply_staged() override;
  void become_new_site() override;

  bool fail_apply = false;   ///< As if the disk were full.
  bool forget_tail = false;  ///< As if old sets had left the tail.

 private:
  struct Staging {
    core::UnitRef ref;
    Bytes bytes;
    std::vector<bool> have;
  };
  void keep(Set set);
  Result<core::UnitRef> give(const core::Header& header, ByteView body);

  core::Site site_;
  core::Have have_;
  std::uint64_t order_ = 0;
  std::map<core::Dot, Set> sets_;
  std::map<Hash, Set> cuts_;  ///< And lists.
  std::set<Hash> listed_;     ///< Lists that came.
  std::map<Hash, Staging> staging_;
};

}  // namespace mycelial::fuzz
