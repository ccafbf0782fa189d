// SPDX-License-Identifier: Apache-2.0
// A depot in memory: sets with a random body, chained by real hashes. It outlives the sessions of
// its node, as a disk does; only small staged units are lost with the process.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codec/codec.hpp"
#include "core/exchange.hpp"

namespace mycelial::core::testing {

/// What the world remembers about every set ever sealed.
struct Oracle {
  struct Birth {
    std::uint64_t at = 0;
    Stream stream;
    std::uint64_t size = 0;
    std::set<Hash> seen;  ///< Tips that its author held.
  };
  std::map<Hash, Birth> sets;
  std::vector<std::string> violations;
};

class MapDepot final : public Depot {
 public:
  struct Limits {
    std::uint64_t tail_bytes = ~std::uint64_t{0};
    std::uint64_t memory_bytes = 4096;  ///< Staged units up to this size die with the process.
  };
  MapDepot(Oracle& oracle, std::function<std::uint64_t()> random, Limits limits);

  Site site() const override { return site_; }
  const Have& have() const override { return have_; }
  std::optional<Hash> hash_at(const Stream& stream, std::uint64_t seq) const override;
  std::optional<std::vector<UnitRef>> tail(const Stream& stream, std::uint64_t first,
                                           std::uint64_t last) const override;
  Result<UnitRef> cut(const std::vector<std::pair<Stream, Tip>>& tips,
                      const std::vector<Hash>& resume) override;
  ListSum list() override;
  std::vector<std::uint32_t> list_parts(std::size_t most, std::uint64_t since_ms) override;
  Result<UnitRef> list_unit(std::span<const std::uint32_t> sums, std::uint64_t since_ms) override;
  Result<Bytes> read(const UnitRef& unit, std::uint64_t offset, std::size_t size) const override;
  Status stage(const UnitRef& unit, std::uint64_t offset, ByteView bytes) override;
  std::vector<ByteRange> missing(const UnitRef& unit) const override;
  std::vector<UnitRef> staged() const override;
  void drop_staged(const Hash& unit) override { staged_.erase(unit); }
  Result<Applied> apply_staged() override;
  void become_new_site() override;
  MemberBook* members() override {
    if (!keeps_members) return nullptr;
    book_.at(site_, 1'700'000'000'000 + now);
    return &book_;
  }

  UnitRef seal(std::size_t body_bytes, std::uint64_t now);
  void crash();
  bool holds(const Hash& set) const { return known_.contains(set); }
  std::size_t sets() const { return known_.size(); }
  std::size_t cuts_made() const { return cuts_made_; }
  std::size_t cuts_applied() const { return cuts_applied_; }
  std::uint64_t staged_bytes() const;
  mutable std::size_t handed_out = 0;  ///< Units that tail() has given.
  std::map<Hash, std::uint64_t> applied_at;
  std::set<std::uint64_t> listed;   ///< Entries by their hashes.
  std::set<std::uint64_t> foreign;  ///< Entries that this one does not list, whoever tells it.
  std::size_t lists_made = 0;
  bool hesitates = false;     ///< What has just come is applied a little later.
  bool keeps_members = true;  ///< False: like a peer that knows nothing of such things.
  std::uint64_t now = 0;      ///< Set by the world before it lets anything happen.

 private:
  struct Known {
    Stream stream;
    std::uint64_t seq = 0;
    Hash prev;
    std::uint64_t order = 0;
    std::uint64_t size = 0;
  };
  struct Staged {
    UnitRef ref;
    Bytes bytes;
    std::vector<ByteRange> have;
    std::optional<Result<codec::UnitView>> unit;  ///< Of all the bytes, once they are there.
  };
  void add(const Hash& id, const Known& set);
  void keep(const UnitRef& ref, Bytes bytes);
  std::vector<std::uint32_t> sums_of(std::size_t parts) const;
  void check_causes(const Hash& id);
  bool is_known(const Header& header, const Hash& id) const;
  bool ready(const Header& header) const;
  std::vector<Hash> apply(const codec::UnitView& unit, const Bytes& bytes);

  MemberBook book_;
  Oracle& oracle_;
  std::function<std::uint64_t()> random_;
  Limits limits_;
  Site site_;
  Have have_;
  std::map<Hash, Known> known_;
  std::map<Stream, std::vector<Hash>> chains_;
  std::map<Hash, std::pair<UnitRef, Bytes>> tail_, cuts_;
  std::map<std::uint64_t, Hash> tail_order_;
  std::uint64_t tail_bytes_ = 0, order_ = 0;
  std::map<Hash, Staged> staged_;
  std::map<Stream, Tip> told_;  ///< Tips that our latest set named.
  bool hesitates_now_ = false;
  std::size_t cuts_made_ = 0, cuts_applied_ = 0;
};

}  // namespace mycelial::core::testing
