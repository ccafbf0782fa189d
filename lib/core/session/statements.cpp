// SPDX-License-Identifier: Apache-2.0
// Who holds what: digests, statements, and chains that parted.
#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::size_t kTipBytes = 48;      // of one entry of a statement, about
constexpr std::size_t kStreamsMax = 4096;  // per peer

}  // namespace

std::uint64_t Exchange::Impl::held(const Stream& stream) const {
  const auto it = depot.have().find(stream);
  return it == depot.have().end() ? 0 : it->second.seq;
}

const Hash& Exchange::Impl::digest() {
  if (!digest_known) digest_ = have_digest(depot.have());
  digest_known = true;
  return digest_;
}

/// One entry per stream, in parts of at most one message; also hello and acknowledgement.
void Exchange::Impl::say_have(LinkNumber number, const std::set<Stream>* only, bool reply,
                              std::uint8_t push_wish) {
  auto& link = links.at(number);
  std::vector<std::pair<Stream, Tip>> tips;
  for (const auto& entry : depot.have()) {
    if (!only || only->contains(entry.first)) tips.emplace_back(entry);
  }
  const std::size_t room = fragment_bytes(link.caps) / kTipBytes;
  const std::size_t per = std::clamp<std::size_t>(room, 1, 1024);
  HaveMessage m;
  m.number = ++statements;
  m.have = digest();
  m.reply = reply;
  m.push = push_wish;
  std::size_t at = 0;
  do {
    const auto end = std::min(at + per, tips.size());
    m.tips.assign(tips.begin() + static_cast<std::ptrdiff_t>(at),
                  tips.begin() + static_cast<std::ptrdiff_t>(end));
    m.last_part = end == tips.size();
    // A partial statement is about its streams only: it must not replace another's.
    std::string key = only ? "have " + std::to_string(m.number) : "have";
    say(number, key + " " + std::to_string(at), m);
    if (!links.contains(number)) return;
    at = end;
  } while (at < tips.size());
}

void Exchange::Impl::say_digest(LinkNumber number) {
  say(number, "digest", DigestMessage{digest()});
}

void Exchange::Impl::on_digest(LinkNumber number, Peer& peer, const DigestMessage& m) {
  if (m.have == digest()) {
    peer.have = m.have;
    peer.heard_have = true;
    return;
  }
  links.at(number).digest_every = 1000;
  say_have(number, nullptr, true);
}

bool Exchange::Impl::lacks_nothing(const Peer& peer) const {
  return std::all_of(peer.tips.begin(), peer.tips.end(),
                     [&](const auto& t) { return t.second.second.seq <= held(t.first); });
}

void Exchange::Impl::on_have(LinkNumber number, Peer& peer, const HaveMessage& m) {
  for (const auto& [stream, tip] : m.tips) {
    if (!compare(number, stream, tip)) return;
    const auto known = peer.tips.find(stream);
    if (known == peer.tips.end() && peer.tips.size() >= kStreamsMax) {
      return give_up(number, "the peer names more than 4096 streams");
    }
    auto& entry = peer.tips[stream];
    if (entry.first <= m.number) entry = {m.number, tip};
  }
  if (m.push) peer.push = peer.relay = m.push == 2;
  if (m.number >= peer.statement) {
    peer.statement = m.number;
    peer.have = m.have;
    peer.heard_have |= m.last_part;
  }
  if (m.reply) say_have(number, nullptr, false);
  if (const auto it = links.find(number); it != links.end()) plan(number, peer);
}

/// False if the link was given up: the stream has two histories.
bool Exchange::Impl::compare(LinkNumber number, const Stream& stream, const Tip& tip) {
  const std::uint64_t ours = held(stream);
  const bool own = stream.site == depot.site();
  bool parted = false;
  if (tip.seq <= ours && tip.seq > 0) {
    const auto hash = depot.hash_at(stream, tip.seq);
    parted = hash && *hash != tip.hash;
  }
  if (own && (parted || tip.seq > ours)) {
    // Another copy of this file went on under our name, or we were set back.
    depot.become_new_site();
    digest_known = false;
    announce({});
  }
  if (!parted) return true;
  give_up(number,
          "site " + stream.site.hex() + " has two histories from change set " +
              std::to_string(tip.seq) +
              " on or before: a copy of its file was restored and written; start one of the "
              "two anew from a copy of the other");
  return false;
}

void Exchange::Impl::on_probe(LinkNumber number, const ProbeMessage& m) {
  for (const auto& point : m.points) {
    if (!compare(number, m.stream, point)) return;
  }
}

/// These streams moved: tell every peer soon, which is also the acknowledgement.
void Exchange::Impl::announce(const std::set<Stream>& streams) {
  digest_known = false;
  for (auto& [number, link] : links) {
    link.digest_every = 1000;
    link.digest_at = std::min(link.digest_at, now + 1000 + port.random() % 1000);
    for (auto& [id, peer] : link.peers) {
      peer.dirty.insert(streams.begin(), streams.end());
      if (!peer.tell_at) {
        const TimeMs wait = link.caps.bytes_per_second ? patience(link.caps) / 4 : 20;
        peer.tell_at = now + (link.caps.group ? wait + port.random() % 1000 : wait);
      }
    }
  }
}

}  // namespace mycelial::core
