// SPDX-License-Identifier: Apache-2.0
// Lists of conflicts. What merging overrules depends on the order in which sets came: replicas that
// hold the same sets, and list something else, send each other the parts that differ. A list only
// grows by that, so it ends. Lists may differ for good, for one keeps fewer entries, or calls a
// table otherwise: who asks again, and has got nothing new, waits twice as long every other time.
#include <algorithm>

#include "core/session/impl.hpp"
#include "core/session/sizes.hpp"

namespace mycelial::core {
namespace {

constexpr std::size_t kSumsMax = 256;
constexpr std::size_t kRoomForRanges = 24;
constexpr TimeMs kAnswerEvery = 500;
constexpr std::uint32_t kDoublingsMax = 12;

}  // namespace

/// What the peer lists. True if we knew, or list the same.
bool Exchange::Impl::note_list(const LinkState& link, Peer& peer, const ListSum& theirs) {
  const ListSum ours = depot.list();
  const bool known = peer.ours == ours && peer.theirs == theirs;
  peer.ours = ours;
  peer.theirs = theirs;
  if (ours.sum == theirs.sum) {
    peer.compare_at = kNever;
    return true;
  }
  if (known) return true;
  peer.comparisons = 0;
  peer.compare_at = now + (link.caps.group ? port.random() % patience(link.caps) : 0);
  return false;
}

void Exchange::Impl::compare_if_due(LinkState& link, Peer& peer) {
  if (now < peer.compare_at) return;
  peer.ours = depot.list();
  const TimeMs wait = patience(link.caps);
  if (peer.ours.sum == peer.theirs.sum) {
    peer.compare_at = kNever;
  } else if (link.caps.group && now < link.compared_at + wait) {
    peer.compare_at = link.compared_at + wait + port.random() % wait;
  } else {
    link.speech.compare = peer.session;
    link.compared_at = now;
    peer.comparisons = std::min(peer.comparisons + 1, 2 * kDoublingsMax);
    peer.compare_at = now + (wait << (peer.comparisons + 1) / 2);
  }
}

/// A piece of its list comes: what is missing is asked for when no more do.
void Exchange::Impl::await_list(const LinkState& link, Peer& peer) {
  peer.comparisons = std::min(peer.comparisons, 1u);
  peer.compare_at = now + patience(link.caps);
}

/// Whoever was told otherwise hears of it soon.
void Exchange::Impl::list_came() {
  for (auto& [number, link] : links) {
    if (link.said_list != depot.list()) say_digest_soon(link);
  }
}

std::optional<CompareMessage> Exchange::Impl::next_compare(LinkState& link) {
  const auto peer = link.peers.find(std::exchange(link.speech.compare, 0));
  if (peer == link.peers.end()) return std::nullopt;
  const std::size_t most = control_bytes(link.caps);
  const std::size_t reserve = sizes::kPart + kRoomForRanges;
  std::size_t sums = kSumsMax;
  while (sums > 1 && sizes::compare(sums, most) + reserve > most) sums /= 2;
  CompareMessage m;
  m.to = peer->first;
  m.list = depot.list();
  m.since_ms = std::max(m.list.since_ms, peer->second.theirs.since_ms);
  m.sums = depot.list_parts(sums, m.since_ms);
  if (m.sums.empty()) return std::nullopt;
  if (const auto used = sizes::compare(m.sums.size(), most); used < most) {
    name_list_begun(m, peer->second.site, most - used);
  }
  return m;
}

/// What is missing of an answer that has come in part.
void Exchange::Impl::name_list_begun(CompareMessage& m, const Site& of, std::size_t room) const {
  for (const auto& unit : depot.staged()) {
    if (unit.kind != UnitKind::list || unit.stream.site != of) continue;
    if (auto part = part_begun(unit, room)) m.parts.push_back(std::move(*part));
    return;
  }
}

/// A new answer takes the place of one that did not come whole.
void Exchange::Impl::drop_older_lists(const UnitRef& unit) {
  for (const auto& other : depot.staged()) {
    if (other.kind != UnitKind::list || other.stream.site != unit.stream.site) continue;
    if (other.id == unit.id) continue;
    depot.drop_staged(other.id);
    sources.erase(other.id);
  }
}

void Exchange::Impl::on_compare(LinkNumber number, Peer& peer, const CompareMessage& m) {
  auto& link = links.at(number);
  if (m.to != session) return;
  if (!note_list(link, peer, m.list)) say_digest_soon(link);
  if (m.list.sum == depot.list().sum) {  // it has not heard
    link.speech.digest = true;
    return;
  }
  if (now < link.list_sent_at + kAnswerEvery) return;
  const bool busy = std::any_of(link.data.begin(), link.data.end(),
                                [](const Job& j) { return j.unit.kind == UnitKind::list; });
  if (busy) return;
  const auto begun = std::find_if(m.parts.begin(), m.parts.end(), [&](const auto& part) {
    return part.unit == peer.list.id && depot.read(peer.list, 0, 1).ok();
  });
  if (begun != m.parts.end()) {
    link.list_sent_at = now;
    return enqueue(number, peer.list, &begun->missing);
  }
  const auto unit = depot.list_unit(m.sums, m.since_ms);
  if (!unit.ok()) return;  // it asks again
  link.list_sent_at = now;
  peer.list = *unit;
  enqueue(number, *unit, nullptr);
}

}  // namespace mycelial::core
