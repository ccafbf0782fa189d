// SPDX-License-Identifier: Apache-2.0
// What members of the fleet hold, as far as anybody knows: kept, and passed on at a slow pace.
#include <algorithm>

#include "core/session/impl.hpp"
#include "core/session/sizes.hpp"

namespace mycelial::core {
namespace {

constexpr TimeMs kGossipEvery = 600'000;
constexpr std::size_t kToldMax = 1024;
constexpr TimeMs kMsPerByte = 250;
constexpr TimeMs kShare = 50;                      // of the time of a link: one part in so many
constexpr std::uint64_t kBeatEveryMs = 3'600'000;  // so often everybody hears that we are there

/// What the member lacks of these streams.
MemberNews news_of(const Site& site, const Member& member, const Seqs& have, std::uint64_t now_ms,
                   const std::vector<std::pair<Stream, std::uint64_t>>& streams) {
  MemberNews out{site, member.beat, 0, {}};
  if (now_ms > member.heard_ms) out.age_s = (now_ms - member.heard_ms) / 1000;
  for (std::uint32_t i = 0; i < streams.size(); ++i) {
    const auto held = have.find(streams[i].first);
    const std::uint64_t seq = held == have.end() ? 0 : held->second;
    if (seq < streams[i].second) out.lacks.emplace_back(i, seq);
  }
  return out;
}

/// What a round of gossip takes, about. Each part of the streams is told with every member.
std::uint64_t round_bytes(std::size_t message, std::size_t streams, std::size_t members) {
  const std::size_t room = std::max<std::size_t>(message, 64) / 2;
  const std::uint64_t parts = (20 * streams / room + 1) * (25 * members / room + 1);
  return parts * 60 + 20 * streams + 25 * members * (20 * streams / room + 1);
}

}  // namespace

/// A peer said something of itself, and perhaps of others.
void Exchange::Impl::note_statement(const Peer& peer, const HaveMessage& m) {
  MemberBook* const book = depot.members();
  if (!book) return;
  book->seen(peer.site);
  for (const auto& [stream, tip] : m.tips) book->holds(peer.site, stream, tip.seq);
  if (m.have == digest()) book->holds(peer.site, depot.have());
  book->told(m.streams, m.members);
}

/// Tells the link of members if there is news, and it is not too soon: nobody is in a hurry to
/// forget. A link that breaks and comes back is no reason to repeat it.
void Exchange::Impl::gossip_if_due(LinkNumber number, LinkState& link) {
  MemberBook* const book = depot.members();
  if (!book || link.peers.empty() || link.speech.gossip) return;
  if (told_peers.size() > kToldMax) told_peers.clear();
  Told& told = link.caps.group ? told_groups[number] : told_peers[link.peers.begin()->second.site];
  if (now < told.again_at) return;
  book->beat(book->now_ms(), kBeatEveryMs);
  if (told.version == book->version()) return;
  told.version = book->version();
  link.speech.gossip.emplace();
  const std::uint64_t bytes =
      round_bytes(control_bytes(link.caps), depot.have().size(), book->members().size());
  TimeMs pause = std::max(kGossipEvery, bytes * kMsPerByte);
  if (const auto rate = link.caps.bytes_per_second) {
    pause = std::max(pause, 1000 * kShare * bytes / rate);
  }
  told.again_at = now + pause * (link.caps.group ? link.peers.size() + 1 : 1);
}

/// One part of that: some streams, and who holds how much of them.
std::optional<HaveMessage> Exchange::Impl::next_gossip(LinkState& link) {
  MemberBook* const book = depot.members();
  auto& at = link.speech.gossip;
  if (!at || !book) return std::nullopt;
  const std::size_t most = control_bytes(link.caps);
  if (most <= sizes::gossip(most)) at.reset();
  if (!at) return std::nullopt;
  std::size_t room = most - sizes::gossip(most);
  HaveMessage m;
  m.have = link.said = digest();
  m.last_part = false;
  const Have& have = depot.have();
  std::size_t used = 0;
  auto stream = have.lower_bound(at->stream);
  for (; stream != have.end(); ++stream) {
    const std::size_t bytes = sizes::stream_at(stream->first, stream->second.seq);
    if (used + bytes > room / 2) break;
    used += bytes;
    m.streams.emplace_back(stream->first, stream->second.seq);
  }
  room -= used;
  Seqs all;
  for (const auto& [s, tip] : have) all.emplace_hint(all.end(), s, tip.seq);
  const auto& members = book->members();
  auto it = members.upper_bound(at->member);
  for (; it != members.end(); ++it) {
    const bool to_itself = !link.caps.group && link.peers.begin()->second.site == it->first;
    if (to_itself) continue;
    const bool own = it->first == book->own();
    auto news =
        news_of(it->first, it->second, own ? all : it->second.have, book->now_ms(), m.streams);
    const std::size_t bytes = sizes::member(news);
    if (bytes > room && !m.members.empty()) break;
    at->member = it->first;
    if (bytes > room) continue;  // a link for very short messages: others tell of it
    room -= bytes;
    m.members.push_back(std::move(news));
  }
  if (it != members.end()) {
    // Further members, the same streams.
  } else if (stream != have.end() && !m.streams.empty()) {
    *at = {stream->first, {}};
  } else {
    at.reset();
  }
  if (m.members.empty()) return std::nullopt;
  m.number = ++statements;
  return m;
}

}  // namespace mycelial::core
