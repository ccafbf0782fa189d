// SPDX-License-Identifier: Apache-2.0
// Who is asked for what. Each stream is asked of one peer at a time.
#include <algorithm>
#include <utility>

#include "core/session/impl.hpp"
#include "core/session/sizes.hpp"

namespace mycelial::core {
namespace {

constexpr std::uint64_t kAnswerBytes = 8 * 1024 * 1024;  // to one request, at most
constexpr std::size_t kNeedsPerWant = 4096;
constexpr std::size_t kUnitsPerAnswer = 65536;
constexpr std::size_t kLaterMax = 32;
constexpr std::size_t kLaterEntries = 4096;  // of one request that is kept for later
constexpr TimeMs kGroupWait = 500;
constexpr std::size_t kEagerLinks = 4;

}  // namespace

/// True if somebody else is likely to send us new sets of the stream without being asked.
bool Exchange::Impl::may_come_by_itself(LinkNumber number, const Stream& stream) const {
  return std::any_of(links.begin(), links.end(), [&](const auto& l) {
    return l.first != number &&
           std::any_of(l.second.peers.begin(), l.second.peers.end(), [&](const auto& p) {
             return p.second.feeds_us || p.second.site == stream.site;
           });
  });
}

/// The first set of a stream that is neither applied nor here and waiting for others.
std::uint64_t Exchange::Impl::next_needed(const Stream& stream) const {
  std::uint64_t next = held(stream) + 1;
  const auto here = waiting.find(stream);
  if (here == waiting.end()) return next;
  for (const auto& [first, last] : here->second) {
    if (first > next) break;
    next = std::max(next, last + 1);
  }
  return next;
}

/// Notes what this peer has and we lack.
void Exchange::Impl::plan(LinkNumber number, Peer& peer) {
  auto& link = links.at(number);
  if (now < peer.want_at || (peer.heard_have && peer.have == digest())) return;
  std::size_t planned = 0;
  for (const auto& [stream, entry] : peer.tips) {
    const auto last = entry.second.seq;
    if (last < next_needed(stream) || planned >= kNeedsPerWant) continue;
    const auto before = asked.find(stream);
    const bool first = before == asked.end();
    if (!first && before->second.until > now) continue;
    Asked a{number, peer.session, last, 0, first ? 0 : before->second.attempt, Asked::State::due};
    if (!first && before->second.link != number) a.attempt /= 2;
    if (!peer.fresh && first && (link.caps.group || may_come_by_itself(number, stream))) {
      a.state = Asked::State::hoped_for;
      a.until = now + (link.caps.group ? port.random() % kGroupWait
                                       : patience(link.caps) / 2 + port.random() % 200);
    } else {
      const auto backoff = std::min<std::uint32_t>(a.attempt, 5);
      a.until = now + (patience(link.caps) + port.random() % 500) * (TimeMs{1} << backoff);
      ++a.attempt;
      ++planned;
    }
    asked[stream] = a;
  }
  if (planned) peer.want_at = now + patience(link.caps) / 2;
}

/// Everybody, in an order that favours nobody but those who have not left a question unanswered.
void Exchange::Impl::plan_all() {
  std::vector<std::pair<LinkNumber, std::uint64_t>> all;
  for (const auto& [number, link] : links) {
    for (const auto& [id, peer] : link.peers) all.emplace_back(number, id);
  }
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[port.random() % i]);
  std::stable_partition(all.begin(), all.end(), [&](const auto& at) {
    const auto& peer = links.at(at.first).peers.at(at.second);
    return peer.asked_at <= peer.heard_at;
  });
  std::set<LinkNumber> touched;
  for (const auto& [number, id] : all) {
    plan(number, links.at(number).peers.at(id));
    touched.insert(number);
  }
  for (const auto number : touched) pump(number);
}

/// A request for what is due from one session of the link, as much as fits one message.
std::optional<WantMessage> Exchange::Impl::next_want(LinkNumber number, LinkState& link) {
  WantMessage m;
  const std::size_t most = control_bytes(link.caps);
  std::size_t room = most - sizes::want(most);
  const std::size_t for_parts = room / 2;  // units begun
  for (auto& [stream, a] : asked) {
    if (a.link != number || a.state != Asked::State::due) continue;
    if (m.to && m.to != a.session) continue;
    const std::uint64_t first = next_needed(stream);
    if (a.last < first) {
      a.state = Asked::State::sent;
      continue;
    }
    const WantMessage::Need need{stream, first, a.last, a.attempt};
    const std::size_t bytes = sizes::need(need);
    const bool fits = m.needs.empty() || bytes + for_parts <= room;
    if (m.needs.size() >= kNeedsPerWant || !fits) break;
    m.to = a.session;
    m.needs.push_back(need);
    room -= bytes;
    a.state = Asked::State::sent;
  }
  const auto peer = link.peers.find(m.to);
  if (m.needs.empty() || peer == link.peers.end()) return std::nullopt;
  m.graft = !peer->second.fresh;
  peer->second.feeds_us |= m.graft;
  peer->second.fresh = false;
  peer->second.asked_at = now;
  name_parts(m, room);
  return m;
}

/// Asks for everybody's new sets as they come, before there is anything to ask for: else the first
/// one waits here until somebody has told of it. Not of many: the first set of each stream comes
/// from all of them.
std::optional<WantMessage> Exchange::Impl::next_graft(LinkState& link) const {
  if (link.caps.group || links.size() > kEagerLinks) return std::nullopt;
  for (auto& [id, peer] : link.peers) {
    if (!peer.heard_have || std::exchange(peer.feeds_us, true)) continue;
    WantMessage m;
    m.to = id;
    m.graft = true;
    return m;
  }
  return std::nullopt;
}

/// Of the units begun that may come: what is missing, as much of it as fits; then what we hold, as
/// far as there is room: a cut builds on it.
void Exchange::Impl::name_parts(WantMessage& m, std::size_t room) const {
  auto begun = depot.staged();
  std::stable_partition(begun.begin(), begun.end(),
                        [](const UnitRef& u) { return u.kind == UnitKind::cut; });
  for (const auto& unit : begun) {
    const bool wanted =
        unit.kind == UnitKind::cut ||
        std::any_of(m.needs.begin(), m.needs.end(), [&](const auto& need) {
          return need.stream == unit.stream && need.first <= unit.last && unit.first <= need.last;
        });
    if (!wanted) continue;
    if (room <= sizes::kPart) break;
    if (auto part = part_begun(unit, room)) m.parts.push_back(std::move(*part));
  }
  for (const auto& entry : depot.have()) {
    const std::size_t bytes = sizes::tip(entry.first, entry.second);
    if (bytes > room) return;
    room -= bytes;
    m.tips.emplace_back(entry);
  }
}

/// What is missing of the unit, as much as there is room for; less room is left then.
std::optional<WantMessage::Part> Exchange::Impl::part_begun(const UnitRef& unit,
                                                            std::size_t& room) const {
  WantMessage::Part part{unit.id, {}};
  std::size_t bytes = sizes::kPart;
  for (const auto& range : depot.missing(unit)) {
    if (bytes + sizes::range(range) > room) break;
    bytes += sizes::range(range);
    part.missing.push_back(range);
  }
  if (part.missing.empty()) return std::nullopt;
  room -= bytes;
  return part;
}

void Exchange::Impl::on_want(LinkNumber number, Peer& peer, const WantMessage& m) {
  auto& link = links.at(number);
  if (m.to != session) {
    if (!link.caps.group) return;
    overhear_want(number, m);
    const bool tried = std::any_of(m.needs.begin(), m.needs.end(),
                                   [](const auto& need) { return need.attempt > 1; });
    const bool large = m.needs.size() + m.parts.size() + m.tips.size() > kLaterEntries;
    if (!tried || large || link.later.size() >= kLaterMax) return;
    const TimeMs wait = patience(link.caps) + port.random() % patience(link.caps);
    link.later.push_back({now + wait, now, peer.session, m});
    return;
  }
  if (m.graft) {
    peer.relay = true;
    for (const auto& need : m.needs) peer.pruned.erase(need.stream);
  }
  answer(number, peer, m, 0);
}

/// Somebody of the group asks for what we were about to ask for: we hear the answer, too.
void Exchange::Impl::overhear_want(LinkNumber number, const WantMessage& m) {
  auto& link = links.at(number);
  for (const auto& need : m.needs) {
    const auto ours = asked.find(need.stream);
    if (need.attempt >= 3 || ours == asked.end() || ours->second.attempt >= 2) continue;
    if (need.last < ours->second.last) continue;
    ours->second.until = std::max(ours->second.until, now + patience(link.caps));
    ours->second.state = Asked::State::sent;
    ++ours->second.attempt;
  }
}

void Exchange::Impl::answer(LinkNumber number, Peer& peer, const WantMessage& m, TimeMs since) {
  auto& link = links.at(number);
  std::uint64_t room = kAnswerBytes;
  if (link.caps.bytes_per_second) {
    const auto enough =
        std::max<std::uint64_t>(8 * link.caps.bytes_per_second, 4 * message_bytes(link.caps));
    room = std::min(room, enough);
  }
  std::vector<UnitRef> units;
  for (const auto& need : m.needs) {
    const std::uint64_t room_for = kUnitsPerAnswer - units.size();
    auto last = std::min(need.last, held(need.stream));
    if (need.first == 0 || need.first > last) continue;
    if (room_for == 0) break;  // it will ask again
    last = std::min(last, need.first + room_for - 1);
    auto found = depot.tail(need.stream, need.first, last);
    if (!found) return answer_by_cut(number, peer, m);
    units.insert(units.end(), found->begin(), found->end());
  }
  std::sort(units.begin(), units.end(),
            [](const UnitRef& a, const UnitRef& b) { return a.order < b.order; });
  std::map<Hash, const std::vector<ByteRange>*> parts;
  for (const auto& part : m.parts) parts.emplace(part.unit, &part.missing);
  for (const auto& unit : units) {
    if (link.data_bytes > room) break;
    const auto heard = link.overheard.find(unit.id);
    if (since && heard != link.overheard.end() && heard->second >= since) continue;
    const auto part = parts.find(unit.id);
    enqueue(number, unit, part == parts.end() ? nullptr : part->second);
  }
}

/// The kept tail does not reach back: everything that the peer lacks, as one unit. One at a time on
/// a link; whoever asks meanwhile asks again.
void Exchange::Impl::answer_by_cut(LinkNumber number, Peer& peer, const WantMessage& m) {
  auto& link = links.at(number);
  const bool busy = std::any_of(link.data.begin(), link.data.end(),
                                [](const Job& j) { return j.unit.kind == UnitKind::cut; });
  if (busy) return;
  std::map<Stream, Tip> tips;
  for (const auto& [stream, entry] : peer.tips) tips[stream] = entry.second;
  for (const auto& [stream, tip] : m.tips) {
    if (tips[stream].seq <= tip.seq) tips[stream] = tip;
  }
  std::vector<Hash> begun;
  for (const auto& part : m.parts) begun.push_back(part.unit);
  // Nobody has got anywhere since we made one for it: nothing of that one has arrived yet.
  const bool lost = peer.cut_at == digest() && peer.cut_for == m.needs.front().first;
  if (lost) begun.push_back(peer.cut);
  const auto cut = depot.cut({tips.begin(), tips.end()}, begun);
  digest_known = false;  // making it may have sealed
  if (!cut.ok()) return;
  if (std::find(begun.begin(), begun.end(), cut->id) == begun.end()) {
    peer.cut = cut->id;
    peer.cut_for = m.needs.front().first;
    peer.cut_at = digest();
  }
  const auto part = std::find_if(m.parts.begin(), m.parts.end(),
                                 [&](const auto& p) { return p.unit == cut->id; });
  enqueue(number, *cut, part == m.parts.end() ? nullptr : &part->missing);
}

}  // namespace mycelial::core
