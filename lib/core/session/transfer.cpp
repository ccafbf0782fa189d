// SPDX-License-Identifier: Apache-2.0
// Units on their way: what is sent, what arrives.
#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::uint64_t kPushBytes = 8 * 1024 * 1024;  // queued for one link, beyond which it asks
constexpr std::size_t kBegunPerLink = 4096;            // units not applied yet
constexpr TimeMs kCutPatience = 20'000;                // before another cut takes its place
constexpr TimeMs kRefusedPatience = 10'000;            // of one who sends what we cannot take now
constexpr std::size_t kOverheardMax = 1024;
constexpr std::size_t kDoneCuts = 16;  // remembered, for pieces that come late

/// Sorted, disjoint, inside the unit.
std::deque<ByteRange> tidy(std::vector<ByteRange> ranges, std::uint64_t size) {
  std::sort(ranges.begin(), ranges.end());
  std::deque<ByteRange> out;
  for (auto r : ranges) {
    r.end = std::min(r.end, size);
    if (!out.empty()) r.begin = std::max(r.begin, out.back().end);
    if (r.begin >= r.end) continue;
    if (!out.empty() && out.back().end == r.begin) {
      out.back().end = r.end;
    } else {
      out.push_back(r);
    }
  }
  return out;
}

}  // namespace

void Exchange::Impl::enqueue(LinkNumber number, const UnitRef& unit,
                             const std::vector<ByteRange>* ranges) {
  auto& link = links.at(number);
  Job job{unit, tidy(ranges ? *ranges : std::vector<ByteRange>{{0, unit.size}}, unit.size)};
  if (job.ranges.empty() || !link.queued.insert(unit.id).second) return;
  for (const auto& r : job.ranges) link.data_bytes += r.end - r.begin;
  link.data.push_back(std::move(job));
}

/// A new set goes at once to those who want it: the author pushes to everybody, a relay to peers
/// that asked for that. A group hears its author; a relay announces to it.
void Exchange::Impl::push(const UnitRef& unit, bool own, LinkNumber except) {
  std::vector<LinkNumber> to;
  for (const auto& [number, link] : links) {
    if (number == except || link.data_bytes > kPushBytes) continue;
    if (link.caps.group) {
      if (own && !link.peers.empty()) to.push_back(number);
      continue;
    }
    for (const auto& [id, peer] : link.peers) {
      const auto theirs = peer.tips.find(unit.stream);
      const bool has = theirs != peer.tips.end() && theirs->second.second.seq >= unit.last;
      const bool wants = (own || peer.relay) && !peer.pruned.contains(unit.stream);
      if (!has && peer.heard_have && wants) to.push_back(number);
    }
  }
  for (const auto number : to) {
    enqueue(number, unit, nullptr);
    pump(number);
  }
}

bool Exchange::Impl::is_known(const UnitRef& unit) const {
  return unit.kind != UnitKind::cut && unit.last > 0 && held(unit.stream) >= unit.last;
}

/// We have it, or it comes from elsewhere: its sender stops, and pushes no more of that stream.
void Exchange::Impl::refuse_unit(LinkNumber number, const Peer& peer, const UnitRef& unit) {
  auto& link = links.at(number);
  if (link.caps.group) return;
  const auto source = sources.find(unit.id);
  if (source != sources.end() && source->second.link == number) {  // asked twice
    if (is_known(unit)) announce({unit.stream}, number);
    return;
  }
  link.speech.stops.insert(unit.id);
  // Its author is the shortest way to have it; others need not pass it on.
  if (peer.site != unit.stream.site) link.speech.unwanted.insert(unit.stream);
}

/// A unit of which nothing has come yet: there is room for it, and no cut is under way beside it.
bool Exchange::Impl::may_begin(LinkNumber number, const UnitRef& unit) {
  const auto from_here = std::count_if(sources.begin(), sources.end(),
                                       [&](const auto& s) { return s.second.link == number; });
  if (static_cast<std::size_t>(from_here) >= kBegunPerLink) return false;
  if (unit.kind != UnitKind::cut) return true;
  for (const auto& other : depot.staged()) {
    if (other.kind != UnitKind::cut || other.id == unit.id) continue;
    const auto source = sources.find(other.id);
    if (source != sources.end() && now - source->second.heard_at < kCutPatience) {
      links.at(number).speech.stops.insert(unit.id);
      return false;
    }
    depot.drop_staged(other.id);
    sources.erase(other.id);
  }
  return true;
}

/// Somebody else of the group sends it: these bytes need not come from us, too.
void Exchange::Impl::yield_to_others(LinkState& link, const FragMessage& m) {
  if (link.overheard.size() >= kOverheardMax) link.overheard.clear();
  link.overheard[m.unit.id] = now;
  if (!link.queued.contains(m.unit.id)) return;
  const auto job = std::find_if(link.data.begin(), link.data.end(),
                                [&](const Job& j) { return j.unit.id == m.unit.id; });
  const std::uint64_t begin = m.offset, end = m.offset + m.bytes.size();
  std::vector<ByteRange> left;
  for (const auto& r : job->ranges) {
    link.data_bytes -= r.end - r.begin;
    left.push_back({r.begin, std::min(r.end, begin)});
    left.push_back({std::max(r.begin, end), r.end});
  }
  job->ranges = tidy(std::move(left), job->unit.size);
  for (const auto& r : job->ranges) link.data_bytes += r.end - r.begin;
  if (!job->ranges.empty()) return;
  link.queued.erase(m.unit.id);
  link.data.erase(job);
}

/// Does not ask this peer again for a while.
void Exchange::Impl::be_patient(LinkNumber number, const Peer& peer, TimeMs for_ms) {
  for (auto& [stream, a] : asked) {
    if (a.link != number || a.session != peer.session) continue;
    a.until = now + for_ms;
    a.attempt = 1;
  }
}

void Exchange::Impl::on_frag(LinkNumber number, Peer& peer, const FragMessage& m) {
  const auto& unit = m.unit;
  auto& link = links.at(number);
  if (m.bytes.empty() || m.offset > unit.size || m.bytes.size() > unit.size - m.offset) {
    return give_up(number, "the peer sent a fragment that lies outside its unit");
  }
  credit(peer, unit);
  if (link.caps.group) yield_to_others(link, m);
  const auto source = sources.find(unit.id);
  const bool elsewhere = source != sources.end() && source->second.link != number &&
                         source->second.link != 0 && !link.caps.group &&
                         now - source->second.heard_at < patience(link.caps) + 2000;
  const bool fresh = source == sources.end() || source->second.link != number;
  const bool known = is_known(unit);
  const bool late = std::find(done_cuts.begin(), done_cuts.end(), unit.id) != done_cuts.end();
  if (late) return;  // what it was part of has been applied
  if (!known && !elsewhere && fresh && !may_begin(number, unit)) {
    return be_patient(number, peer, kRefusedPatience);
  }
  be_patient(number, peer, patience(link.caps));
  if (known || elsewhere) {
    refuse_unit(number, peer, unit);
  } else {
    sources[unit.id] = {number, now};
    if (sweep_at == kNever) sweep_at = now + kUnitPatience;
    const Status staged = depot.stage(unit, m.offset, m.bytes);
    if (staged.code() == Errc::corrupt) return give_up(number, std::string(staged.message()));
    if (staged.ok() && depot.missing(unit).empty()) {
      apply(number);
      const bool waits = !is_known(unit) && depot.missing(unit).empty();  // for others
      if (unit.kind != UnitKind::cut) {
        if (waits) waiting[unit.stream][unit.first] = unit.last;
      } else if (!waits) {
        done_cuts.push_back(unit.id);
        if (done_cuts.size() > kDoneCuts) done_cuts.pop_front();
      }
    }
  }
  if (!m.more) ask_for_the_rest(number, m);
}

/// The peer has sent all that it had queued for us. If something fell out on the way, it may still
/// be on its way.
void Exchange::Impl::ask_for_the_rest(LinkNumber number, const FragMessage& m) {
  const auto link = links.find(number);
  if (link == links.end()) return;
  const bool whole = is_known(m.unit) || depot.missing(m.unit).empty();
  TimeMs wait = whole ? 0 : 2 * TimeMs{link->second.caps.delay_ms};
  if (link->second.caps.group) wait += port.random() % 500;
  for (auto& [id, peer] : link->second.peers) {
    for (auto& [stream, a] : asked) {
      if (a.link == number && a.session == id) a.until = now + wait;
    }
    peer.want_at = 0;
    if (wait == 0) plan(number, peer);
  }
}

void Exchange::Impl::on_stop(LinkNumber number, const Hash& unit) {
  auto& link = links.at(number);
  if (!link.queued.erase(unit)) return;
  std::erase_if(link.data, [&](const Job& job) {
    if (job.unit.id != unit) return false;
    for (const auto& r : job.ranges) link.data_bytes -= r.end - r.begin;
    return true;
  });
}

/// Applies what has become whole, passes it on, and tells everybody. `from` sent the last piece.
void Exchange::Impl::apply(LinkNumber from) {
  const auto applied = depot.apply_staged();
  if (!applied.ok()) {
    apply_again_at = now + 500;
    return;
  }
  apply_again_at = 0;
  digest_known = false;
  std::map<LinkNumber, std::set<Stream>> moved;  // by who sent it
  for (const auto& unit : applied->units) {
    const auto source = sources.find(unit.id);
    const LinkNumber by = source == sources.end() ? 0 : source->second.link;
    if (source != sources.end()) sources.erase(source);
    if (unit.kind == UnitKind::cut) {
      for (const auto& entry : depot.have()) moved[by].insert(entry.first);
    } else {
      moved[by].insert(unit.stream);
      const bool own = unit.stream.site == depot.site();
      push(unit, own, own ? 0 : by);
    }
  }
  for (const auto& [unit, why] : applied->rejected) waiting[unit.stream].erase(unit.first);
  for (const auto& [by, streams] : moved) {
    for (const auto& stream : streams) {
      const auto here = waiting.find(stream);
      if (here == waiting.end()) continue;
      auto& units = here->second;
      units.erase(units.begin(), units.upper_bound(held(stream)));
      if (units.empty()) waiting.erase(here);
    }
  }
  std::erase_if(asked, [&](const auto& a) { return next_needed(a.first) > a.second.last; });
  for (const auto& [by, streams] : moved) announce(streams, by);
  if (std::any_of(applied->units.begin(), applied->units.end(),
                  [](const UnitRef& u) { return u.kind == UnitKind::cut; })) {
    forget_stale_units();
  }
  for (const auto& [unit, why] : applied->rejected) {
    const auto source = sources.find(unit.id);
    const LinkNumber guilty =
        source == sources.end() || !source->second.link ? from : source->second.link;
    sources.erase(unit.id);
    if (links.contains(guilty)) give_up(guilty, std::string(why.message()));
  }
  if (applied->more) apply(from);
}

void Exchange::Impl::find_waiting() {
  waiting.clear();
  for (const auto& unit : depot.staged()) {
    const bool set = unit.kind != UnitKind::cut && unit.last >= unit.first;
    if (set && !is_known(unit) && depot.missing(unit).empty()) {
      waiting[unit.stream][unit.first] = unit.last;
    }
  }
}

/// Drops staged units that we have come to hold otherwise, or that nobody has gone on sending.
void Exchange::Impl::forget_stale_units() {
  const auto staged = depot.staged();
  std::map<Hash, Source> kept;
  for (const auto& unit : staged) {
    const auto source = sources.find(unit.id);
    const Source at = source == sources.end() ? Source{0, started_at} : source->second;
    if (is_known(unit) || now - at.heard_at >= kUnitPatience) {
      depot.drop_staged(unit.id);
    } else {
      kept[unit.id] = at;
    }
  }
  sources = std::move(kept);
  find_waiting();
  sweep_at = sources.empty() ? kNever : now + kUnitPatience / 10;
}

}  // namespace mycelial::core
