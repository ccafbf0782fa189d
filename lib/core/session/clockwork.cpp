// SPDX-License-Identifier: Apache-2.0
// What time demands: statements due, questions unanswered, digests.
#include <algorithm>
#include <limits>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr TimeMs kDigestMax = 60'000;

}  // namespace

void Exchange::Impl::tick() {
  if (apply_again_at && now >= apply_again_at) apply(0);
  std::vector<LinkNumber> numbers;
  for (const auto& [number, link] : links) numbers.push_back(number);
  for (const auto number : numbers) {
    const auto it = links.find(number);
    if (it == links.end()) continue;
    LinkState& link = it->second;
    bool told = false;
    for (auto& [id, peer] : link.peers) {
      if (!peer.tell_at || now < peer.tell_at) continue;
      peer.tell_at = 0;
      const auto dirty = std::exchange(peer.dirty, {});
      if (!told || !link.caps.group) say_have(number, &dirty, false);
      told = true;
      if (!links.contains(number)) break;
    }
    if (!links.contains(number)) continue;
    if (now >= link.digest_at) {
      link.digest_every = std::min(kDigestMax, link.digest_every * 2);
      link.digest_at = now + link.digest_every / 2 + port.random() % (link.digest_every / 2 + 1);
      link.blocked = false;
      say_digest(number);
    }
  }
  const bool late =
      std::any_of(asked.begin(), asked.end(), [&](const auto& a) { return a.second.until <= now; });
  if (!late) return;
  std::erase_if(asked, [&](const auto& a) { return held(a.first) >= a.second.last; });
  plan_all();
  std::erase_if(asked, [&](const auto& a) { return a.second.until <= now; });  // nobody has it now
}

TimeMs Exchange::Impl::next_tick() const {
  TimeMs next = std::numeric_limits<TimeMs>::max();
  if (apply_again_at) next = std::min(next, apply_again_at);
  for (const auto& [number, link] : links) {
    next = std::min(next, link.digest_at);
    for (const auto& [id, peer] : link.peers) {
      if (peer.tell_at) next = std::min(next, peer.tell_at);
    }
  }
  for (const auto& [stream, a] : asked) next = std::min(next, a.until);
  return next;
}

}  // namespace mycelial::core
