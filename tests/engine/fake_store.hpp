// SPDX-License-Identifier: Apache-2.0
// A store of lines of text in memory: what the engine needs of storage::Store, with faults on
// request.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/store.hpp"

namespace mycelial::engine {

class FakeStore final : public storage::Store {
 public:
  explicit FakeStore(Entropy& entropy) { entropy.fill(site_.bytes.data(), site_.bytes.size()); }

  void write(const std::string& line) {  ///< As if another connection committed.
    journal_.push_back(line);
    changed_ = true;
  }
  std::set<std::string> lines;  ///< Local and remote ones.
  Status fail_seal, fail_apply, fail_read;
  int seals = 0, applies = 0, looks = 0;
  bool used = false;  ///< As if another connection had a transaction open.

  Status track(const std::string& table) override {
    return table == "t" ? Status() : Status(Errc::not_found, "no such table: " + table);
  }
  Result<std::vector<TrackedTable>> track_all() override {
    return std::vector<TrackedTable>{{"t", true, ""}};
  }
  Status untrack(const std::string&) override { return {}; }
  Status untrack_all() override { return {}; }
  Status alter(const std::string&) override { return {}; }
  Status resolve(const std::string&, const Resolution&) override { return {}; }
  Status set_policy(const std::string&, const std::string&, const std::string&) override {
    return {};
  }
  Result<std::vector<PolicyInfo>> policies() override { return std::vector<PolicyInfo>(); }
  Result<bool> collect() override { return false; }
  Result<std::vector<MemberInfo>> describe_members() override { return std::vector<MemberInfo>(); }
  Status forget_member(const std::string&) override { return {}; }
  Status save_members_now() override { return {}; }
  bool changed_outside() override {
    ++looks;
    return std::exchange(changed_, false);
  }
  Result<std::uint64_t> journal_entries(std::uint64_t limit) override {
    return std::min<std::uint64_t>(journal_.size(), limit);
  }
  Result<std::vector<core::UnitRef>> seal() override;
  bool in_use() override { return used; }
  std::uint64_t collisions() const override { return collisions_; }
  storage::OwnSets own_sets() override { return {}; }
  ChangeEvent take_changes() override { return std::exchange(changes_, {}); }
  Result<ReplicaStatus> status() override;
  Result<std::vector<Conflict>> conflicts() override { return std::vector<Conflict>(); }
  Result<std::string> digest() override;
  Result<std::vector<std::string>> check() override { return std::vector<std::string>(); }

  core::Site site() const override { return site_; }
  const core::Have& have() const override { return have_; }
  std::optional<Hash> hash_at(const core::Stream& stream, std::uint64_t seq) const override;
  std::optional<std::vector<core::UnitRef>> tail(const core::Stream& stream, std::uint64_t first,
                                                 std::uint64_t last) const override;
  Result<core::UnitRef> cut(const std::vector<std::pair<core::Stream, core::Tip>>&,
                            const std::vector<Hash>&) override {
    return Status(Errc::unsupported, "the whole tail is kept");
  }
  core::ListSum list() override { return {}; }
  std::vector<std::uint32_t> list_parts(std::size_t parts, std::uint64_t) override {
    return std::vector<std::uint32_t>(parts);
  }
  Result<core::UnitRef> list_unit(std::span<const std::uint32_t>, std::uint64_t) override {
    return Status(Errc::unsupported, "no conflicts are listed");
  }
  Result<Bytes> read(const core::UnitRef& unit, std::uint64_t offset,
                     std::size_t size) const override;
  Status stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) override;
  std::vector<core::ByteRange> missing(const core::UnitRef& unit) const override;
  std::vector<core::UnitRef> staged() const override;
  void drop_staged(const Hash& unit) override { staging_.erase(unit); }
  Result<Applied> apply_staged() override;
  void become_new_site() override {}

 private:
  struct Unit {
    core::UnitRef ref;
    Bytes bytes;
  };
  struct Staging {
    core::UnitRef ref;
    Bytes bytes;
    std::vector<bool> have;
  };
  void keep(const core::UnitRef& ref, const Bytes& bytes);

  core::Site site_;
  core::Have have_;
  std::vector<std::string> journal_;
  bool changed_ = true;
  std::uint64_t collisions_ = 0;
  ChangeEvent changes_;
  std::map<core::Dot, Unit> tail_;
  std::map<Hash, Staging> staging_;
};

}  // namespace mycelial::engine
