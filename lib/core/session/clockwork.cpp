// SPDX-License-Identifier: Apache-2.0
// What time demands: statements due, questions unanswered, digests.
#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr TimeMs kDigestMax = 60'000;
constexpr TimeMs kPeerSilent = 600'000;

}  // namespace

void Exchange::Impl::tick_link(LinkNumber number) {
  LinkState& link = links.at(number);
  if (link.caps.group) {
    std::erase_if(link.peers, [&](const auto& p) { return now - p.second.heard_at > kPeerSilent; });
  }
  for (auto& [id, peer] : link.peers) {
    compare_if_due(link, peer);
    if (now < peer.tell_at) continue;
    peer.tell_at = kNever;
    peer.ack = false;
    if (!peer.dirty.empty()) peer.told_at = now;
    link.speech.about.merge(peer.dirty);
    peer.dirty.clear();
  }
  if (now >= link.have_at) {
    link.have_at = kNever;
    link.have_said = now;
    link.speech.full = true;
    link.speech.spoken.reset();
  }
  std::vector<LinkState::Later> due;
  for (const auto& l : link.later) {
    if (l.at <= now) due.push_back(l);
  }
  std::erase_if(link.later, [&](const auto& l) { return l.at <= now; });
  for (const auto& l : due) {
    const auto peer = link.peers.find(l.session);
    if (peer != link.peers.end()) answer(number, peer->second, l.want, l.since);
  }
  if (now >= link.digest_at) {
    // Who has just heard the same need not say it; but of two, each says it once.
    const bool said = link.said == digest() && link.said_list == depot.list();
    if (!link.same || (!link.caps.group && !said)) link.speech.digest = true;
    link.same = 0;
    link.digest_every = std::min(kDigestMax, link.digest_every * 2);
    link.digest_at = now + link.digest_every / 2 + port.random() % (link.digest_every / 2 + 1);
    gossip_if_due(number, link);
    link.blocked = false;  // in case that the link forgot to say that it is writable
  }
  pump(number);
}

void Exchange::Impl::tick() {
  if (apply_again_at && now >= apply_again_at) apply();
  std::vector<LinkNumber> numbers;
  for (const auto& [number, link] : links) numbers.push_back(number);
  for (const auto number : numbers) {
    if (links.contains(number)) tick_link(number);
  }
  if (now >= sweep_at) forget_stale_units();
  const bool late =
      std::any_of(asked.begin(), asked.end(), [&](const auto& a) { return a.second.until <= now; });
  if (!late) return;
  std::erase_if(asked, [&](const auto& a) { return next_needed(a.first) > a.second.last; });
  plan_all();
  std::erase_if(asked, [&](const auto& a) { return a.second.until <= now; });  // nobody has it now
}

TimeMs Exchange::Impl::next_tick() const {
  TimeMs next = sweep_at;
  if (apply_again_at) next = std::min(next, apply_again_at);
  for (const auto& [number, link] : links) {
    next = std::min({next, link.digest_at, link.have_at});
    for (const auto& l : link.later) next = std::min(next, l.at);
    for (const auto& [id, peer] : link.peers)
      next = std::min({next, peer.tell_at, peer.compare_at});
  }
  for (const auto& [stream, a] : asked) next = std::min(next, a.until);
  return next;
}

}  // namespace mycelial::core
