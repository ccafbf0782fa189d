// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/depot.hpp"

#include <algorithm>
#include <bit>

#include "codec/codec.hpp"
#include "tests/fuzz/target.hpp"

namespace mycelial::fuzz {

namespace {

constexpr std::uint64_t kUnitMax = 4096;
constexpr std::size_t kStagedMax = 256;
constexpr std::size_t kListedMax = 8;

}  // namespace

core::Site site(std::uint8_t fill) {
  core::Site out;
  out.bytes.fill(fill);
  return out;
}

Set make_set(const core::Stream& stream, const core::Tip& before, ByteView body) {
  core::Header header;
  header.stream = stream;
  header.first = header.last = before.seq + 1;
  header.prev = before.hash;
  Set out;
  out.bytes = codec::encode_unit(header, body);
  out.ref.id = codec::decode_unit(out.bytes)->id;
  out.ref.stream = stream;
  out.ref.first = out.ref.last = header.first;
  out.ref.size = out.bytes.size();
  return out;
}

void MemoryDepot::keep(Set set) {
  set.ref.order = ++order_;
  have_[set.ref.stream] = {set.ref.last, set.ref.id};
  sets_[{set.ref.stream, set.ref.last}] = std::move(set);
}

core::UnitRef MemoryDepot::seal() {
  const core::Stream own{site_, 0, 0};
  Set set = make_set(own, have_[own], "local");
  const core::UnitRef ref = set.ref;
  keep(std::move(set));
  return ref;
}

std::optional<Hash> MemoryDepot::hash_at(const core::Stream& stream, std::uint64_t seq) const {
  const auto found = sets_.find({stream, seq});
  return found == sets_.end() ? std::nullopt : std::optional(found->second.ref.id);
}

std::optional<std::vector<core::UnitRef>> MemoryDepot::tail(const core::Stream& stream,
                                                            std::uint64_t first,
                                                            std::uint64_t last) const {
  if (forget_tail) return std::nullopt;
  std::vector<core::UnitRef> out;
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    const auto found = sets_.find({stream, seq});
    if (found == sets_.end()) return std::nullopt;
    out.push_back(found->second.ref);
  }
  return out;
}

Result<core::UnitRef> MemoryDepot::cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                                       const std::vector<Hash>& resume) {
  for (const auto& id : resume) {
    if (cuts_.contains(id)) return cuts_.at(id).ref;
  }
  core::Header header;
  header.kind = core::UnitKind::cut;
  header.stream = {site_, 0, 0};
  header.base = tips;
  for (const auto& entry : have_) header.have.emplace_back(entry);
  return give(header, "everything");
}

Result<core::UnitRef> MemoryDepot::list_unit(std::span<const std::uint32_t> sums, std::uint64_t) {
  expect(std::has_single_bit(sums.size()), "as many sums as a power of two");
  core::Header header;
  header.kind = core::UnitKind::list;
  header.stream = {site_, 0, 0};
  return give(header, std::to_string(listed_.size()));
}

Result<core::UnitRef> MemoryDepot::give(const core::Header& header, ByteView body) {
  Set set;
  set.bytes = codec::encode_unit(header, body);
  set.ref = {
      codec::decode_unit(set.bytes)->id, header.kind, header.stream, 0, 0, set.bytes.size(), 0};
  if (cuts_.size() > 8) cuts_.clear();
  return cuts_[set.ref.id] = set, set.ref;
}

Result<Bytes> MemoryDepot::read(const core::UnitRef& unit, std::uint64_t offset,
                                std::size_t size) const {
  const auto cut = cuts_.find(unit.id);
  const auto found = sets_.find({unit.stream, unit.last});
  const Set* set = cut != cuts_.end()                                        ? &cut->second
                   : found != sets_.end() && found->second.ref.id == unit.id ? &found->second
                                                                             : nullptr;
  if (set == nullptr) return {Errc::not_found, "no such unit"};
  return offset < set->bytes.size() ? set->bytes.substr(offset, size) : Bytes();
}

Status MemoryDepot::stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) {
  expect(offset <= unit.size && bytes.size() <= unit.size - offset, "fragments inside their units");
  if (unit.size > kUnitMax || staging_.size() > kStagedMax) return {Errc::busy, "no room"};
  Staging& at = staging_[unit.id];
  if (at.bytes.empty()) {
    at.ref = unit;
    at.bytes.resize(unit.size);
    at.have.resize(unit.size);
  }
  if (at.ref.size != unit.size) return {Errc::corrupt, "a unit changed its description"};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    at.bytes[offset + i] = bytes[i];
    at.have[offset + i] = true;
  }
  return {};
}

std::vector<core::ByteRange> MemoryDepot::missing(const core::UnitRef& unit) const {
  const auto found = staging_.find(unit.id);
  if (found == staging_.end()) return {{0, unit.size}};
  std::vector<core::ByteRange> out;
  const auto& have = found->second.have;
  for (std::size_t i = 0; i < have.size(); ++i) {
    if (have[i]) continue;
    if (!out.empty() && out.back().end == i) {
      ++out.back().end;
    } else {
      out.push_back({i, i + 1});
    }
  }
  return out;
}

std::vector<core::UnitRef> MemoryDepot::staged() const {
  std::vector<core::UnitRef> out;
  for (const auto& [id, staging] : staging_) out.push_back(staging.ref);
  return out;
}

Result<core::Depot::Applied> MemoryDepot::apply_staged() {
  if (fail_apply) return {Errc::io, "no space left"};
  Applied out;
  for (bool again = true; again;) {
    again = false;
    for (const auto& [id, staging] : staging_) {
      if (!missing(staging.ref).empty()) continue;
      const auto unit = codec::decode_unit(staging.bytes);
      auto ref = staging.ref;
      const bool whole = unit.ok() && unit->id == id;
      const core::Tip before = whole ? have_[unit->header.stream] : core::Tip();
      if (whole && unit->header.kind == core::UnitKind::list) {
        if (listed_.size() < kListedMax) listed_.insert(id);
        out.units.push_back(ref);
      } else if (!whole || unit->header.kind != core::UnitKind::set) {
        out.rejected.emplace_back(ref, Status(Errc::corrupt, "not what its name says"));
      } else if (unit->header.last > before.seq) {
        if (unit->header.first != before.seq + 1) continue;
        if (unit->header.prev == before.hash) {
          ref.stream = unit->header.stream;
          ref.kind = unit->header.kind;
          ref.first = ref.last = unit->header.last;
          keep({ref, staging.bytes});
          out.units.push_back(ref);
        } else {
          out.rejected.emplace_back(ref, Status(Errc::corrupt, "two histories"));
        }
      }
      staging_.erase(id);
      again = true;
      break;
    }
  }
  std::erase_if(have_, [](const auto& entry) { return entry.second.seq == 0; });
  return out;
}

void MemoryDepot::become_new_site() {
  for (auto& byte : site_.bytes) ++byte;
}

}  // namespace mycelial::fuzz
