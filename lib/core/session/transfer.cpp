// SPDX-License-Identifier: Apache-2.0
// Units on their way: who is asked for what, what is sent, what arrives.
#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::uint64_t kQueueBytes = 8 * 1024 * 1024;  // queued for one link
constexpr std::size_t kNeedsPerWant = 256;
constexpr std::size_t kPartsPerWant = 64;
constexpr std::size_t kSourcesMax = 4096;

}  // namespace

/// Asks a peer for what it has and we lack; each stream is asked of one peer at a time.
void Exchange::Impl::plan(LinkNumber number, Peer& peer) {
  const auto& link = links.at(number);
  WantMessage want;
  for (const auto& [stream, entry] : peer.tips) {
    const Site& author = stream.site;
    const auto last = entry.second.seq;
    const auto ours = held(stream);
    if (last <= ours || want.needs.size() >= kNeedsPerWant) continue;
    const auto before = asked.find(stream);
    if (before != asked.end() && before->second.until > now) continue;
    Asked a{number, peer.session, last, 0, before == asked.end() ? 0 : before->second.attempt};
    const bool others_push = std::any_of(links.begin(), links.end(), [&](const auto& l) {
      return l.first != number &&
             std::any_of(l.second.peers.begin(), l.second.peers.end(), [&](const auto& p) {
               return p.second.feeds_us || p.second.site == author;
             });
    });
    if (!peer.fresh && before == asked.end() && (others_push || link.caps.group)) {
      // Most likely it is on its way from somebody who pushes: give that a moment.
      a.until = now + patience(link.caps) / 2 + port.random() % 200;
      asked[stream] = a;
      continue;
    }
    const auto backoff = std::min<std::uint32_t>(a.attempt, 5);
    a.until = now + (patience(link.caps) + port.random() % 500) * (TimeMs{1} << backoff);
    ++a.attempt;
    asked[stream] = a;
    want.needs.push_back({stream, ours + 1, last, a.attempt});
  }
  if (want.needs.empty()) return;
  want.to = peer.session;
  want.graft = !peer.fresh;
  peer.feeds_us |= want.graft;
  peer.fresh = false;
  for (const auto& unit : depot.staged()) {
    if (want.parts.size() < kPartsPerWant) want.parts.push_back({unit.id, depot.missing(unit)});
  }
  for (const auto& entry : depot.have()) want.tips.emplace_back(entry);
  say(number, "want", std::move(want));
}

void Exchange::Impl::plan_all() {
  std::vector<std::pair<LinkNumber, std::uint64_t>> all;
  for (const auto& [number, link] : links) {
    for (const auto& [id, peer] : link.peers) all.emplace_back(number, id);
  }
  for (const auto& [number, id] : all) {
    const auto link = links.find(number);
    if (link == links.end()) continue;
    const auto peer = link->second.peers.find(id);
    if (peer != link->second.peers.end()) plan(number, peer->second);
  }
}

void Exchange::Impl::on_want(LinkNumber number, Peer& peer, const WantMessage& m) {
  if (m.to != session) return;
  auto& link = links.at(number);
  if (m.graft) peer.push = peer.relay = true;
  std::vector<UnitRef> units;
  bool need_cut = false;
  for (const auto& need : m.needs) {
    const auto last = std::min(need.last, held(need.stream));
    if (need.first > last) continue;
    auto found = depot.tail(need.stream, need.first, last);
    if (!found) {
      need_cut = true;
      break;
    }
    units.insert(units.end(), found->begin(), found->end());
  }
  const auto missing = [&](const UnitRef& unit) -> const std::vector<ByteRange>* {
    for (const auto& part : m.parts) {
      if (part.unit == unit.id) return &part.missing;
    }
    return nullptr;
  };
  if (need_cut) {
    const bool busy = std::any_of(link.data.begin(), link.data.end(),
                                  [](const Job& j) { return j.unit.kind == UnitKind::cut; });
    if (busy) return;
    std::vector<Hash> begun;
    for (const auto& part : m.parts) begun.push_back(part.unit);
    const auto cut = depot.cut(m.tips, begun);
    if (cut.ok()) enqueue(number, *cut, missing(*cut));
    return;
  }
  std::sort(units.begin(), units.end(),
            [](const UnitRef& a, const UnitRef& b) { return a.order < b.order; });
  for (const auto& unit : units) {
    if (link.data_bytes > kQueueBytes) break;  // it will ask again
    enqueue(number, unit, missing(unit));
    if (!links.contains(number)) return;
  }
}

void Exchange::Impl::enqueue(LinkNumber number, const UnitRef& unit,
                             const std::vector<ByteRange>* ranges) {
  auto& link = links.at(number);
  const bool queued = std::any_of(link.data.begin(), link.data.end(),
                                  [&](const Job& j) { return j.unit.id == unit.id; });
  if (queued) return;
  Job job{unit, {}};
  const ByteRange all{0, unit.size};
  for (const auto& r : ranges ? *ranges : std::vector<ByteRange>{all}) {
    if (r.begin >= r.end || r.end > unit.size) continue;
    job.ranges.push_back(r);
    link.data_bytes += r.end - r.begin;
  }
  if (job.ranges.empty()) return;
  link.data.push_back(std::move(job));
  pump(number);
}

/// A new set goes at once to those who want it: the author pushes to everybody, a relay to peers
/// that asked for that.
void Exchange::Impl::push(const UnitRef& unit, bool own, LinkNumber except) {
  std::vector<LinkNumber> to;
  for (const auto& [number, link] : links) {
    if (number == except || link.data_bytes > kQueueBytes) continue;
    for (const auto& [id, peer] : link.peers) {
      const auto theirs = peer.tips.find(unit.stream);
      const bool has = theirs != peer.tips.end() && theirs->second.second.seq >= unit.last;
      if (!has && peer.heard_have && (own ? peer.push : peer.relay)) {
        to.push_back(number);
        break;
      }
    }
  }
  for (const auto number : to) {
    if (links.contains(number)) enqueue(number, unit, nullptr);
  }
}

bool Exchange::Impl::is_known(const UnitRef& unit) const {
  return unit.kind != UnitKind::cut && unit.last > 0 && held(unit.stream) >= unit.last;
}

void Exchange::Impl::on_frag(LinkNumber number, Peer& peer, const FragMessage& m) {
  const auto& unit = m.unit;
  if (m.bytes.empty() || m.offset > unit.size || m.bytes.size() > unit.size - m.offset) {
    return give_up(number, "the peer sent a fragment that lies outside its unit");
  }
  for (auto& [stream, a] : asked) {  // the peer is answering: be patient
    if (a.link == number && a.session == peer.session) {
      a.until = std::max(a.until, now + patience(links.at(number).caps));
    }
  }
  const auto source = sources.find(unit.id);
  const bool elsewhere = source != sources.end() && source->second.first != number &&
                         now - source->second.second < patience(links.at(number).caps) + 2000;
  if (is_known(unit) || elsewhere) {
    if (links.at(number).caps.group) return;
    if (source != sources.end() && source->second.first == number) return;  // asked twice
    peer.feeds_us = false;
    const std::set<Stream> about{unit.stream};
    if (m.more || m.offset + m.bytes.size() < unit.size) {
      say(number, "stop " + unit.id.hex(), StopMessage{unit.id});
    }
    if (links.contains(number)) say_have(number, &about, false, 1);
    return;
  }
  if (sources.size() > kSourcesMax) sources.clear();
  sources[unit.id] = {number, now};
  const Status staged = depot.stage(unit, m.offset, m.bytes);
  if (staged.code() == Errc::corrupt) return give_up(number, std::string(staged.message()));
  if (staged.ok() && depot.missing(unit).empty()) apply(number);
  const auto link = links.find(number);
  if (link == links.end() || m.more) return;
  for (auto& [stream, a] : asked) {  // it said all it had queued; ask for the rest
    if (a.link == number && a.session == peer.session) a.until = 0;
  }
  const auto again = link->second.peers.find(peer.session);
  if (again != link->second.peers.end()) plan(number, again->second);
}

void Exchange::Impl::on_stop(LinkNumber number, const StopMessage& m) {
  auto& link = links.at(number);
  std::erase_if(link.data, [&](const Job& job) {
    if (job.unit.id != m.unit) return false;
    for (const auto& r : job.ranges) link.data_bytes -= r.end - r.begin;
    return true;
  });
}

/// Applies what has become whole, passes it on, and tells everybody.
void Exchange::Impl::apply(LinkNumber from) {
  const auto applied = depot.apply_staged();
  if (!applied.ok()) {
    apply_again_at = now + 500;
    return;
  }
  apply_again_at = 0;
  digest_known = false;
  std::set<Stream> moved;
  for (const auto& unit : applied->units) {
    if (unit.kind == UnitKind::cut) {
      for (const auto& entry : depot.have()) moved.insert(entry.first);
    } else {
      moved.insert(unit.stream);
      push(unit, unit.stream.site == depot.site(), unit.stream.site == depot.site() ? 0 : from);
    }
  }
  std::erase_if(asked, [&](const auto& a) { return held(a.first) >= a.second.last; });
  if (!moved.empty()) announce(moved);
  for (const auto& [unit, why] : applied->rejected) {
    const auto source = sources.find(unit.id);
    const LinkNumber guilty = source == sources.end() ? from : source->second.first;
    sources.erase(unit.id);
    if (links.contains(guilty)) give_up(guilty, std::string(why.message()));
  }
}

}  // namespace mycelial::core
