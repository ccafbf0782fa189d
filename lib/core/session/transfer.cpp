// SPDX-License-Identifier: Apache-2.0
// Units on their way: what is sent, what arrives.
#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::uint64_t kPushBytes = 8 * 1024 * 1024;  // queued for one link, beyond which it asks
constexpr std::size_t kBegunPerLink = 4096;            // units not applied yet
constexpr std::size_t kBegunMax = 4 * kBegunPerLink;
constexpr std::size_t kStopsMax = 4096;          // to be said on one link
constexpr TimeMs kClaim = 10'000;                // of one link to a unit, besides the time...
constexpr std::uint64_t kClaimRate = 16 * 1024;  // ...that it takes at so many bytes a second
constexpr std::size_t kSpoilt = 64;              // units remembered
constexpr TimeMs kCutPatience = 20'000;          // before another cut takes its place
constexpr TimeMs kRefusedPatience = 10'000;      // of one who sends what we cannot take now
constexpr std::size_t kOverheardMax = 1024;
constexpr std::size_t kDone = 16;  // cuts and lists remembered, for pieces that come late

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
  return holds_sets(unit.kind) && unit.last > 0 && held(unit.stream) >= unit.last;
}

/// True if sets of the stream come to us without this link: we wrote them, or another link that is
/// up brought the last one.
bool Exchange::Impl::is_fed_without(LinkNumber number, const Stream& stream) const {
  if (stream.site == depot.site()) return true;
  const auto by = fed_by.find(stream);
  return by != fed_by.end() && by->second != number && links.contains(by->second);
}

/// We have it, or it comes from elsewhere: its sender stops, and pushes no more of that stream.
void Exchange::Impl::refuse_unit(LinkNumber number, const Peer& peer, const UnitRef& unit) {
  auto& link = links.at(number);
  if (link.caps.group) return;
  const Source* const source = sources.find(unit.id);
  if (source != nullptr && source->link == number) {  // asked twice
    if (is_known(unit)) announce({unit.stream}, number);
    return;
  }
  if (link.speech.stops.size() < kStopsMax) link.speech.stops.insert(unit.id);
  // Its author is the shortest way to have it; others need not pass it on. Who alone brings us the
  // stream goes on, though this set came twice: pushed, and asked for at the same moment.
  const bool begun = source != nullptr;
  if (peer.site != unit.stream.site && (begun || is_fed_without(number, unit.stream))) {
    link.speech.unwanted.insert(unit.stream);
  } else if (is_known(unit)) {
    announce({unit.stream}, number);
  }
}

/// A unit of which nothing has come yet: there is room for it, and no cut is under way beside it.
bool Exchange::Impl::may_begin(LinkNumber number, const UnitRef& unit) {
  if (unit.kind == UnitKind::list) drop_older_lists(unit);
  return make_room(number) && (unit.kind != UnitKind::cut || may_begin_cut(number, unit));
}

bool Exchange::Impl::make_room(LinkNumber number) {
  if (sources.begun(number) >= kBegunPerLink) return false;
  if (sources.size() < kBegunMax) return true;
  const auto spare = sources.spare(number);
  if (!spare) return false;
  const Source& source = *sources.find(*spare);
  const auto here = waiting.find(source.stream);
  if (here != waiting.end()) here->second.erase(source.first);
  depot.drop_staged(*spare);
  sources.erase(*spare);
  return true;
}

bool Exchange::Impl::may_begin_cut(LinkNumber number, const UnitRef& unit) {
  for (const auto& other : depot.staged()) {
    if (other.kind != UnitKind::cut || other.id == unit.id) continue;
    const Source* const source = sources.find(other.id);
    if (source != nullptr && now - source->heard_at < kCutPatience) {
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
  if (holds_sets(unit.kind) && unit.stream.site == depot.site() && unit.last > held(unit.stream)) {
    take_new_site();
  }
  credit(peer, unit);
  if (link.caps.group) yield_to_others(link, m);
  const Source* const source = sources.find(unit.id);
  const bool elsewhere = comes_from_elsewhere(number, unit);
  const bool fresh = source == nullptr || source->link != number;
  const bool known = is_known(unit);
  const bool late = std::find(done.begin(), done.end(), unit.id) != done.end();
  if (late) return;  // what it was part of has been applied
  if (!known && !elsewhere && fresh && !may_begin(number, unit)) {
    return be_patient(number, peer, kRefusedPatience);
  }
  be_patient(number, peer, patience(link.caps));
  if (known || elsewhere) {
    refuse_unit(number, peer, unit);
  } else {
    if (unit.kind == UnitKind::list) await_list(link, peer);
    stage(number, m);
  }
  if (!m.more) ask_for_the_rest(number, m);
}

/// True if somebody else is sending it. That does not hold for ever, however little it is that
/// comes.
bool Exchange::Impl::comes_from_elsewhere(LinkNumber number, const UnitRef& unit) const {
  const Source* const source = sources.find(unit.id);
  if (source == nullptr || source->link == number) return false;
  const auto theirs = links.find(source->link);
  if (theirs == links.end() || links.at(number).caps.group) return false;
  const auto& caps = theirs->second.caps;
  const std::uint64_t rate = caps.bytes_per_second ? caps.bytes_per_second : kClaimRate;
  const std::uint64_t claim = kClaim + 4 * (1000 * (unit.size / rate) + fragment_time(caps));
  return now - source->heard_at < patience(links.at(number).caps) + 2000 &&
         now - source->begun_at < claim;
}

void Exchange::Impl::stage(LinkNumber number, const FragMessage& m) {
  const auto& unit = m.unit;
  const bool group = links.at(number).caps.group;
  Source source{number, now, now, unit.stream, unit.first, group};
  if (const Source* const before = sources.find(unit.id); before && before->link == number) {
    source.begun_at = before->begun_at;
    source.mixed = before->mixed;
  } else if (before) {
    const bool bad = std::find(spoilt.begin(), spoilt.end(), unit.id) != spoilt.end();
    if (bad) depot.drop_staged(unit.id);
    source.mixed = group || !bad;
  }
  if (sweep_at == kNever) sweep_at = now + kUnitPatience;
  Status staged = depot.stage(unit, m.offset, m.bytes);
  if (staged.code() == Errc::corrupt) {  // what came before said that the unit is another one
    depot.drop_staged(unit.id);
    source.mixed = group;
    staged = depot.stage(unit, m.offset, m.bytes);
  }
  sources.put(unit.id, source);
  if (staged.code() == Errc::corrupt) return give_up(number, std::string(staged.message()));
  if (!staged.ok() || !depot.missing(unit).empty()) return;
  apply();
  const bool waits = !is_known(unit) && depot.missing(unit).empty();  // for others
  if (holds_sets(unit.kind) && waits) waiting[unit.stream][unit.first] = unit.last;
}

/// The depot is done with it. Pieces of it that come late must not begin it anew.
void Exchange::Impl::is_over(const UnitRef& unit) {
  sources.erase(unit.id);
  if (holds_sets(unit.kind)) return;
  done.push_back(unit.id);
  if (done.size() > kDone) done.pop_front();
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
  if (!link.queued.contains(unit)) return;
  drop_jobs(link, [&](const Job& job) { return job.unit.id == unit; });
}

/// The other end of a link of two holds all that we do: it got it elsewhere.
void Exchange::Impl::stop_sending(LinkState& link) {
  drop_jobs(link, [](const Job& job) { return job.unit.kind != UnitKind::list; });
}

void Exchange::Impl::drop_jobs(LinkState& link, const std::function<bool(const Job&)>& which) {
  std::erase_if(link.data, [&](const Job& job) {
    if (!which(job)) return false;
    for (const auto& r : job.ranges) link.data_bytes -= r.end - r.begin;
    link.queued.erase(job.unit.id);
    return true;
  });
}

/// Applies what has become whole, passes it on, and tells everybody.
void Exchange::Impl::apply() {
  const auto applied = depot.apply_staged();
  if (!applied.ok()) {
    apply_again_at = now + 500;
    return;
  }
  apply_again_at = 0;
  digest_known = false;
  std::map<LinkNumber, std::set<Stream>> moved;  // by who sent it
  bool listed = false;
  for (const auto& unit : applied->units) {
    const Source* const source = sources.find(unit.id);
    const LinkNumber by = source == nullptr ? 0 : source->link;
    is_over(unit);
    listed |= unit.kind == UnitKind::list;
    if (unit.kind == UnitKind::cut) {
      for (const auto& entry : depot.have()) {
        moved[by].insert(entry.first);
        fed_by[entry.first] = by;
      }
    } else if (holds_sets(unit.kind)) {
      moved[by].insert(unit.stream);
      if (by != 0) fed_by[unit.stream] = by;
      const bool own = unit.stream.site == depot.site();
      push(unit, own, own ? 0 : by);
    }
  }
  for (const auto& unit : applied->known) {
    is_over(unit);
    waiting[unit.stream].erase(unit.first);
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
  if (listed) list_came();
  if (std::any_of(applied->units.begin(), applied->units.end(),
                  [](const UnitRef& u) { return u.kind == UnitKind::cut; })) {
    forget_stale_units();
  }
  for (const auto& [unit, why] : applied->rejected) {
    const Source* const at = sources.find(unit.id);
    if (at == nullptr) continue;
    const Source source = *at;
    sources.erase(unit.id);
    if (source.mixed) {  // next time from one alone
      spoilt.push_back(unit.id);
      if (spoilt.size() > kSpoilt) spoilt.pop_front();
    } else if (links.contains(source.link)) {
      give_up(source.link, std::string(why.message()));
    }
  }
  if (applied->more) apply();
}

void Exchange::Impl::find_waiting() {
  waiting.clear();
  for (const auto& unit : depot.staged()) {
    const bool set = holds_sets(unit.kind) && unit.last >= unit.first;
    if (set && !is_known(unit) && depot.missing(unit).empty()) {
      waiting[unit.stream][unit.first] = unit.last;
    }
  }
}

/// Drops staged units that we have come to hold otherwise, or that nobody has gone on sending.
void Exchange::Impl::forget_stale_units() {
  const auto staged = depot.staged();
  Sources kept;
  for (const auto& unit : staged) {
    const Source* const source = sources.find(unit.id);
    const Source at =
        source ? *source : Source{0, started_at, started_at, unit.stream, unit.first, true};
    if (is_known(unit) || now - at.heard_at >= kUnitPatience) {
      depot.drop_staged(unit.id);
    } else {
      kept.put(unit.id, at);
    }
  }
  sources = std::move(kept);
  find_waiting();
  sweep_at = sources.size() == 0 ? kNever : now + kUnitPatience / 10;
}

}  // namespace mycelial::core
