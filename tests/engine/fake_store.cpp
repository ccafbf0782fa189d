// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/fake_store.hpp"

#include <algorithm>

#include "codec/codec.hpp"

namespace mycelial::engine {

Result<std::vector<core::UnitRef>> FakeStore::seal() {
  ++seals;
  if (!fail_seal.ok()) return fail_seal;
  std::vector<core::UnitRef> out;
  if (journal_.empty()) return out;
  core::Header header;
  header.stream = core::Stream{site_};
  const core::Tip before = have_[header.stream];
  header.first = header.last = before.seq + 1;
  header.prev = before.hash;
  Bytes body;
  for (const std::string& line : journal_) {
    lines.insert(line);
    body += line + "\n";
  }
  journal_.clear();
  const Bytes bytes = codec::encode_unit(header, body);
  core::UnitRef ref;
  ref.id = codec::decode_unit(bytes).value().id;
  ref.stream = header.stream;
  ref.first = ref.last = header.first;
  ref.size = bytes.size();
  keep(ref, bytes);
  out.push_back(tail_.at({ref.stream, ref.last}).ref);
  return out;
}

void FakeStore::keep(const core::UnitRef& ref, const Bytes& bytes) {
  Unit unit{ref, bytes};
  unit.ref.order = tail_.size() + 1;
  tail_[{ref.stream, ref.last}] = unit;
  have_[ref.stream] = {ref.last, ref.id};
  if (used) ++collisions_;
}

Result<ReplicaStatus> FakeStore::status() {
  ReplicaStatus out;
  out.site = site_.hex();
  out.journal_entries = journal_.size();
  for (const auto& [stream, tip] : have_) out.sets_held += tip.seq;
  return out;
}

Result<std::string> FakeStore::digest() {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return hash_parts({all}).hex();
}

std::optional<Hash> FakeStore::hash_at(const core::Stream& stream, std::uint64_t seq) const {
  const auto found = tail_.find({stream, seq});
  if (found == tail_.end()) return std::nullopt;
  return found->second.ref.id;
}

std::optional<std::vector<core::UnitRef>> FakeStore::tail(const core::Stream& stream,
                                                          std::uint64_t first,
                                                          std::uint64_t last) const {
  std::vector<core::UnitRef> out;
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    const auto found = tail_.find({stream, seq});
    if (found == tail_.end()) return std::nullopt;
    out.push_back(found->second.ref);
  }
  return out;
}

Result<Bytes> FakeStore::read(const core::UnitRef& unit, std::uint64_t offset,
                              std::size_t size) const {
  if (!fail_read.ok()) return fail_read;
  const auto found = tail_.find({unit.stream, unit.last});
  if (found == tail_.end()) return Status(Errc::not_found, "no such unit");
  if (offset >= found->second.bytes.size()) return Bytes();
  return found->second.bytes.substr(offset, size);
}

Status FakeStore::stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) {
  if (unit.size > 1'000'000 || offset > unit.size || bytes.size() > unit.size - offset) {
    return Status(Errc::corrupt, "a fragment beyond the end of its unit");
  }
  Staging& at = staging_[unit.id];
  at.ref = unit;
  at.bytes.resize(unit.size);
  at.have.resize(unit.size);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    at.bytes[offset + i] = bytes[i];
    at.have[offset + i] = true;
  }
  return {};
}

std::vector<core::ByteRange> FakeStore::missing(const core::UnitRef& unit) const {
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

std::vector<core::UnitRef> FakeStore::staged() const {
  std::vector<core::UnitRef> out;
  for (const auto& [id, staging] : staging_) out.push_back(staging.ref);
  return out;
}

Result<core::Depot::Applied> FakeStore::apply_staged() {
  ++applies;
  if (!fail_apply.ok()) return fail_apply;
  Applied out;
  for (bool again = true; again;) {
    again = false;
    for (auto& [id, staging] : staging_) {
      if (std::find(staging.have.begin(), staging.have.end(), false) != staging.have.end())
        continue;
      const auto unit = codec::decode_unit(staging.bytes);
      const core::UnitRef ref = staging.ref;
      if (!unit.ok() || unit->id != id) {
        out.rejected.emplace_back(ref, Status(Errc::corrupt, "not what its name says"));
      } else if (unit->header.last <= have_[ref.stream].seq) {
        // Known.
      } else if (unit->header.first != have_[ref.stream].seq + 1) {
        continue;
      } else {
        std::string body(unit->body);
        for (std::size_t end; (end = body.find('\n')) != std::string::npos;
             body.erase(0, end + 1)) {
          lines.insert(body.substr(0, end));
          ++changes_.rows;
        }
        changes_.tables = {"t"};
        keep(ref, staging.bytes);
        out.units.push_back(ref);
      }
      staging_.erase(id);
      again = true;
      break;
    }
  }
  return out;
}

}  // namespace mycelial::engine
