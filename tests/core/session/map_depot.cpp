// SPDX-License-Identifier: Apache-2.0
#include "map_depot.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace mycelial::core::testing {
namespace {

constexpr std::size_t kCutsKept = 4;

void add_range(std::vector<ByteRange>& ranges, ByteRange add) {
  std::vector<ByteRange> out;
  for (const auto& r : ranges) {
    if (r.end < add.begin || r.begin > add.end) {
      out.push_back(r);
    } else {
      add = {std::min(add.begin, r.begin), std::max(add.end, r.end)};
    }
  }
  out.push_back(add);
  std::sort(out.begin(), out.end());
  ranges = std::move(out);
}

bool same(const UnitRef& a, const UnitRef& b) {
  return a.kind == b.kind && a.stream == b.stream && a.first == b.first && a.last == b.last &&
         a.size == b.size;
}

std::vector<ByteRange> gaps(const std::vector<ByteRange>& have, std::uint64_t size) {
  std::vector<ByteRange> out;
  std::uint64_t at = 0;
  for (const auto& r : have) {
    if (r.begin > at) out.push_back({at, r.begin});
    at = r.end;
  }
  if (at < size) out.push_back({at, size});
  return out;
}

bool describes(const UnitRef& ref, const Header& h) {
  return ref.kind == h.kind && ref.stream == h.stream && ref.first == h.first && ref.last == h.last;
}

Site fresh_site(std::uint64_t a, std::uint64_t b) {
  Site out;
  for (int i = 0; i < 8; ++i) {
    out.bytes[i] = static_cast<std::uint8_t>(a >> (8 * i));
    out.bytes[8 + i] = static_cast<std::uint8_t>(b >> (8 * i));
  }
  return out;
}

}  // namespace

MapDepot::MapDepot(Oracle& oracle, std::function<std::uint64_t()> random, Limits limits)
    : oracle_(oracle), random_(std::move(random)), limits_(limits) {
  become_new_site();
}

void MapDepot::become_new_site() {
  const auto a = random_();
  site_ = fresh_site(a | 1, random_());
  told_.clear();
}

std::optional<Hash> MapDepot::hash_at(const Stream& stream, std::uint64_t seq) const {
  const auto it = chains_.find(stream);
  if (it == chains_.end() || seq == 0 || seq > it->second.size()) return std::nullopt;
  return it->second[seq - 1];
}

std::optional<std::vector<UnitRef>> MapDepot::tail(const Stream& stream, std::uint64_t first,
                                                   std::uint64_t last) const {
  std::vector<UnitRef> out;
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    const auto id = hash_at(stream, seq);
    const auto it = id ? tail_.find(*id) : tail_.end();
    if (it == tail_.end()) return std::nullopt;
    out.push_back(it->second.first);
    ++handed_out;
  }
  return out;
}

Result<UnitRef> MapDepot::cut(const std::vector<std::pair<Stream, Tip>>& tips,
                              const std::vector<Hash>& resume) {
  for (const auto& id : resume) {
    const auto it = cuts_.find(id);
    if (it != cuts_.end()) return it->second.first;
  }
  Header h;
  h.kind = UnitKind::cut;
  h.stream = {site_};
  std::set<Hash> theirs;
  for (const auto& [stream, tip] : tips) {
    if (!known_.contains(tip.hash)) continue;
    h.base.emplace_back(stream, tip);
    for (Hash at = tip.hash; !at.is_zero(); at = known_.at(at).prev) theirs.insert(at);
  }
  for (const auto& entry : have_) h.have.push_back(entry);
  std::vector<std::pair<std::uint64_t, Hash>> lacking;
  std::uint64_t bytes = 200;
  for (const auto& [id, set] : known_) {
    if (theirs.contains(id)) continue;
    lacking.emplace_back(set.order, id);
    bytes += set.size / 2;
  }
  std::sort(lacking.begin(), lacking.end());
  Bytes body;
  put_varint(body, lacking.size());
  for (const auto& [order, id] : lacking) {
    const auto& set = known_.at(id);
    body.append(id.view());
    body.append(set.stream.site.view());
    put_varint(body, set.seq);
    body.append(set.prev.view());
    put_varint(body, set.size);
  }
  while (body.size() < bytes) body.push_back(static_cast<char>(random_()));
  const Bytes unit = codec::encode_unit(h, body);
  const Hash id = codec::decode_unit(unit).value().id;
  while (cuts_.size() >= kCutsKept) cuts_.erase(cuts_.begin());
  const UnitRef ref{id, UnitKind::cut, h.stream, 0, 0, unit.size(), 0};
  cuts_[id] = {ref, unit};
  ++cuts_made_;
  return ref;
}

ListSum MapDepot::list() {
  return {std::accumulate(listed.begin(), listed.end(), std::uint64_t{0}), 0};
}

std::vector<std::uint32_t> MapDepot::list_parts(std::size_t most, std::uint64_t) {
  return sums_of(std::min(most, std::bit_ceil(listed.size())));
}

std::vector<std::uint32_t> MapDepot::sums_of(std::size_t parts) const {
  std::vector<std::uint32_t> out(parts);
  for (const auto entry : listed) out[entry % parts] += static_cast<std::uint32_t>(entry);
  return out;
}

Result<UnitRef> MapDepot::list_unit(std::span<const std::uint32_t> sums, std::uint64_t) {
  const auto ours = sums_of(sums.size());
  Header h;
  h.kind = UnitKind::list;
  h.stream = {site_};
  Bytes body;
  for (const auto entry : listed) {
    if (ours[entry % sums.size()] != sums[entry % sums.size()]) put_varint(body, entry);
  }
  const Bytes unit = codec::encode_unit(h, body);
  const UnitRef ref{codec::decode_unit(unit).value().id, h.kind, h.stream, 0, 0, unit.size(), 0};
  cuts_[ref.id] = {ref, unit};
  ++lists_made;
  return ref;
}

Result<Bytes> MapDepot::read(const UnitRef& unit, std::uint64_t offset, std::size_t size) const {
  const auto& from = holds_sets(unit.kind) ? tail_ : cuts_;
  const auto it = from.find(unit.id);
  if (it == from.end()) return Status(Errc::not_found, "the unit has left the tail");
  const Bytes& all = it->second.second;
  return offset < all.size() ? all.substr(offset, size) : Bytes();
}

Status MapDepot::stage(const UnitRef& unit, std::uint64_t offset, ByteView bytes) {
  hesitates_now_ = hesitates;
  if (unit.size > (std::uint64_t{1} << 26) || offset > unit.size ||
      bytes.size() > unit.size - offset) {
    return {Errc::corrupt, "a fragment lies outside its unit"};
  }
  auto& at = staged_[unit.id];
  if (at.bytes.empty()) {
    at.ref = unit;
    at.bytes.resize(unit.size);
  }
  if (!same(at.ref, unit)) return {Errc::corrupt, "a unit changed its description"};
  std::copy(bytes.begin(), bytes.end(), at.bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  add_range(at.have, {offset, offset + bytes.size()});
  return {};
}

std::vector<ByteRange> MapDepot::missing(const UnitRef& unit) const {
  const auto it = staged_.find(unit.id);
  if (it == staged_.end()) return {{0, unit.size}};
  return gaps(it->second.have, it->second.ref.size);
}

std::vector<UnitRef> MapDepot::staged() const {
  std::vector<UnitRef> out;
  for (const auto& [id, s] : staged_) out.push_back(s.ref);
  return out;
}

std::uint64_t MapDepot::staged_bytes() const {
  std::uint64_t out = 0;
  for (const auto& [id, s] : staged_) out += s.ref.size;
  return out;
}

void MapDepot::crash() {
  std::erase_if(staged_, [&](const auto& s) { return s.second.ref.size <= limits_.memory_bytes; });
  cuts_.clear();
}

// ---- sets ---------------------------------------------------------------------------------------

void MapDepot::add(const Hash& id, const Known& set) {
  known_[id] = set;
  known_[id].order = ++order_;
  chains_[set.stream].push_back(id);
  have_[set.stream] = {set.seq, id};
  applied_at[id] = now;
}

void MapDepot::keep(const UnitRef& ref, Bytes bytes) {
  tail_bytes_ += bytes.size();
  tail_order_[order_] = ref.id;
  auto& kept = tail_[ref.id] = {ref, std::move(bytes)};
  kept.first.order = order_;
  while (tail_bytes_ > limits_.tail_bytes) {
    const auto oldest = tail_order_.begin();
    tail_bytes_ -= tail_.at(oldest->second).second.size();
    tail_.erase(oldest->second);
    tail_order_.erase(oldest);
  }
}

UnitRef MapDepot::seal(std::size_t body_bytes, std::uint64_t at) {
  now = at;
  Header h;
  h.stream = {site_};
  const auto own = have_.find(h.stream);
  h.first = h.last = own == have_.end() ? 1 : own->second.seq + 1;
  if (own != have_.end()) h.prev = own->second.hash;
  Oracle::Birth birth{at, h.stream, 0, {}};
  for (const auto& [stream, tip] : have_) {
    birth.seen.insert(tip.hash);
    if (stream == h.stream || told_[stream] == tip) continue;
    h.deps.emplace_back(stream, tip);
    told_[stream] = tip;
  }
  Bytes body;
  while (body.size() < body_bytes) body.push_back(static_cast<char>(random_()));
  Bytes bytes = codec::encode_unit(h, body);
  const Hash id = codec::decode_unit(bytes).value().id;
  UnitRef ref{id, UnitKind::set, h.stream, h.first, h.last, bytes.size(), 0};
  birth.size = bytes.size();
  oracle_.sets[id] = birth;
  add(id, {h.stream, h.first, h.prev, 0, bytes.size()});
  keep(ref, std::move(bytes));
  ref.order = order_;
  return ref;
}

void MapDepot::check_causes(const Hash& id) {
  const auto birth = oracle_.sets.find(id);
  if (birth == oracle_.sets.end()) {
    oracle_.violations.push_back("a set was applied that nobody sealed");
    return;
  }
  for (const auto& seen : birth->second.seen) {
    if (!known_.contains(seen)) oracle_.violations.push_back("a set came before its causes");
  }
}

bool MapDepot::is_known(const Header& h, const Hash& id) const {
  if (h.kind != UnitKind::cut) return known_.contains(id);
  return std::all_of(h.have.begin(), h.have.end(),
                     [&](const auto& tip) { return known_.contains(tip.second.hash); });
}

bool MapDepot::ready(const Header& h) const {
  const auto holds = [&](const auto& tip) { return known_.contains(tip.second.hash); };
  if (h.kind == UnitKind::cut) return std::all_of(h.base.begin(), h.base.end(), holds);
  if (h.kind == UnitKind::list) return true;
  return (h.prev.is_zero() || known_.contains(h.prev)) &&
         std::all_of(h.deps.begin(), h.deps.end(), holds);
}

/// Gives the sets that are new.
std::vector<Hash> MapDepot::apply(const codec::UnitView& unit, const Bytes& bytes) {
  const Header& h = unit.header;
  std::vector<Hash> fresh;
  if (h.kind == UnitKind::set) {
    add(unit.id, {h.stream, h.first, h.prev, 0, bytes.size()});
    keep({unit.id, h.kind, h.stream, h.first, h.last, bytes.size(), 0}, bytes);
    fresh.push_back(unit.id);
  } else if (h.kind == UnitKind::list) {
    ByteReader in(unit.body);
    while (in.ok() && !in.at_end()) {
      const auto entry = in.varint();
      if (!foreign.contains(entry)) listed.insert(entry);
    }
  } else {
    ++cuts_applied_;
    ByteReader in(unit.body);
    for (auto left = in.varint(); left > 0 && in.ok(); --left) {
      const Hash id = Hash::from(in.bytes(16));
      Known set;
      set.stream.site = Site::from(in.bytes(16));
      set.seq = in.varint();
      set.prev = Hash::from(in.bytes(16));
      set.size = in.varint();
      if (known_.contains(id)) continue;
      add(id, set);
      fresh.push_back(id);
    }
  }
  for (const auto& id : fresh) check_causes(id);
  return fresh;
}

Result<Depot::Applied> MapDepot::apply_staged() {
  if (std::exchange(hesitates_now_, false)) return Status(Errc::busy, "later");
  Applied out;
  for (bool again = true; again;) {
    again = false;
    for (auto it = staged_.begin(); it != staged_.end(); ++it) {
      if (!gaps(it->second.have, it->second.ref.size).empty()) continue;
      auto& unit = it->second.unit;
      if (!unit) unit = codec::decode_unit(it->second.bytes);
      UnitRef ref = it->second.ref;
      if (!unit->ok() || (*unit)->id != ref.id || !describes(ref, (*unit)->header)) {
        out.rejected.emplace_back(ref, Status(Errc::corrupt, "a unit is not what its name says"));
      } else if (is_known((*unit)->header, ref.id)) {
        out.known.push_back(ref);
      } else if (!ready((*unit)->header)) {
        continue;
      } else {
        apply(**unit, it->second.bytes);
        ref.kind = (*unit)->header.kind;
        ref.stream = (*unit)->header.stream;
        ref.first = (*unit)->header.first;
        ref.last = (*unit)->header.last;
        ref.order = order_;
        out.units.push_back(ref);
      }
      staged_.erase(it);
      again = true;
      break;
    }
  }
  return out;
}

}  // namespace mycelial::core::testing
