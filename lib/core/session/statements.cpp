// SPDX-License-Identifier: Apache-2.0
// Who holds what: digests, statements, and chains that parted.
#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::size_t kStreamsMax = 65536;        // named by one peer
constexpr std::size_t kGroupTipsMax = 4 * 65536;  // remembered of all members of a group
constexpr std::size_t kTipBytes = 40;             // of one entry of a statement, about
constexpr TimeMs kGroupWait = 1000;               // in which one of a group speaks for the others
constexpr TimeMs kTellEvery = 2000;

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

/// Something differs, or changed: a digest is due soon again.
void Exchange::Impl::say_digest_soon(LinkState& link) {
  if (link.digest_every > 1000) {
    link.digest_every = 1000;
    link.digest_at = std::min(link.digest_at, now + port.random() % 1000);
  }
}

/// States everything soon, but in at most a tenth of the link; in a group, unless somebody says the
/// same first.
void Exchange::Impl::say_have_soon(LinkState& link) {
  if (link.have_at != kNever) return;
  const std::uint64_t rate = link.caps.bytes_per_second ? link.caps.bytes_per_second : 1'000'000;
  const TimeMs gap = 10'000 * (60 + kTipBytes * depot.have().size()) / rate *
                     std::max<std::size_t>(1, link.peers.size());
  const TimeMs wait = link.caps.group ? port.random() % kGroupWait : 0;
  link.have_at = std::max(now + wait, link.have_said ? link.have_said + gap : 0);
}

void Exchange::Impl::on_digest(LinkNumber number, Peer& peer, const DigestMessage& m) {
  auto& link = links.at(number);
  if (m.have == digest()) {
    if (note_list(link, peer, m.list)) {
      ++link.same;
    } else {
      say_digest_soon(link);
    }
    peer.have = m.have;
    peer.heard_have = true;
    if (!link.caps.group) stop_sending(link);
    if (auto* const book = depot.members()) {
      book->seen(peer.site);
      book->holds(peer.site, depot.have());
    }
    return;
  }
  if (auto* const book = depot.members()) book->seen(peer.site);
  say_digest_soon(link);
  if (link.caps.group) {
    say_have_soon(link);
  } else if (now >= link.reply_asked + patience(link.caps) && !knows_all(peer, m.have)) {
    link.reply_asked = now;
    link.speech.reply = true;
  }
  peer.have = m.have;
  plan(number, peer);
}

/// True if what the peer told us is all that this digest is of.
bool Exchange::Impl::knows_all(const Peer& peer, const Hash& have) const {
  Have told;
  for (const auto& [stream, entry] : peer.tips) told[stream] = entry.second;
  return have_digest(told) == have;
}

/// True if it said so, or if that follows from what it said and sent.
bool Exchange::Impl::holds_the_same(const Peer& peer) const {
  if (!peer.heard_have) return false;
  const Have& have = depot.have();
  const auto same = [](const auto& theirs, const auto& ours) {
    return theirs.first == ours.first && theirs.second.second == ours.second;
  };
  return (digest_known && peer.have == digest_) ||
         std::equal(peer.tips.begin(), peer.tips.end(), have.begin(), have.end(), same);
}

/// Who sends a set holds it.
void Exchange::Impl::credit(Peer& peer, const UnitRef& unit) {
  const auto known = peer.tips.find(unit.stream);
  if (unit.kind != UnitKind::set || known == peer.tips.end()) return;
  if (known->second.second.seq < unit.last) known->second.second = {unit.last, unit.id};
}

/// True if we hold something that the peer has not said it holds.
bool Exchange::Impl::is_behind(const Peer& peer) const {
  return std::any_of(depot.have().begin(), depot.have().end(), [&](const auto& h) {
    const auto at = peer.tips.find(h.first);
    return at == peer.tips.end() || at->second.second.seq < h.second.seq;
  });
}

/// Keeps what is remembered of a group bounded: who has been silent longest is forgotten.
void Exchange::Impl::forget_some(LinkState& link, const Peer& spared, std::size_t more) {
  for (std::size_t tips = more; link.peers.size() > 1; tips = more) {
    auto silent = link.peers.end();
    for (auto it = link.peers.begin(); it != link.peers.end(); ++it) {
      tips += it->second.tips.size();
      if (&it->second == &spared) continue;
      if (silent == link.peers.end() || it->second.heard_at < silent->second.heard_at) silent = it;
    }
    if (tips <= kGroupTipsMax) return;
    link.peers.erase(silent);
  }
}

void Exchange::Impl::on_have(LinkNumber number, Peer& peer, const HaveMessage& m) {
  auto& link = links.at(number);
  if (m.have == digest()) {
    ++link.same;
    if (link.caps.group) {
      link.have_at = kNever;  // it spoke for us
    } else {
      stop_sending(link);
    }
  }
  if (link.caps.group) forget_some(link, peer, m.tips.size());
  for (const auto& [stream, tip] : m.tips) {
    if (!compare(number, stream, tip)) return;
    const auto known = peer.tips.find(stream);
    if (known == peer.tips.end() && peer.tips.size() >= kStreamsMax) {
      return give_up(number, "the peer names more than 65536 streams");
    }
    auto& entry = peer.tips[stream];
    if (entry.first <= m.number) entry = {m.number, tip};
    if (m.push == 1) peer.pruned.insert(stream);
    if (m.push == 2) peer.pruned.erase(stream);
    if (tip.seq >= held(stream) && !peer.ack) peer.dirty.erase(stream);
  }
  if (m.number >= peer.statement) {
    peer.statement = m.number;
    peer.have = m.have;
    peer.heard_have |= m.last_part;
  }
  note_statement(peer, m);
  if (peer.heard_have) gossip_if_due(number, link);
  if (m.reply || (link.caps.group && m.last_part && m.have != digest() && is_behind(peer))) {
    say_have_soon(link);
  }
  plan(number, peer);
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
    take_new_site();
  }
  if (!parted) return true;
  give_up(number,
          "site " + stream.site.hex() + " has two histories from change set " +
              std::to_string(tip.seq) +
              " on or before: a copy of its file was restored and written; start one of the "
              "two anew from a copy of the other");
  return false;
}

/// Another copy of this file went on under our name, or we were set back.
void Exchange::Impl::take_new_site() {
  depot.become_new_site();
  digest_known = false;
  announce({}, 0);
}

void Exchange::Impl::on_probe(LinkNumber number, const ProbeMessage& m) {
  for (const auto& point : m.points) {
    if (!compare(number, m.stream, point)) return;
  }
}

/// These streams moved. Who sent the sets is told at once, which acknowledges them; the others
/// learn when they have probably got them anyway, so that few need to be told.
void Exchange::Impl::announce(const std::set<Stream>& streams, LinkNumber source) {
  digest_known = false;
  if (streams.empty()) {
    for (auto& [number, link] : links) say_digest_soon(link);
    return;
  }
  for (auto& [number, link] : links) {
    if (link.caps.group) {
      link.digest_every = std::min<TimeMs>(link.digest_every, 1000);
      if (number != source) link.digest_at = std::min(link.digest_at, now + 1000);
      continue;
    }
    for (auto& [id, peer] : link.peers) {
      for (const auto& stream : streams) {
        const auto theirs = peer.tips.find(stream);
        const bool known = theirs != peer.tips.end() && theirs->second.second.seq >= held(stream);
        if (number == source || !known) peer.dirty.insert(stream);
      }
      peer.ack |= number == source;
      TimeMs at = now + 20 + 2 * fragment_time(link.caps);
      if (number != source) {
        const TimeMs every = std::max<TimeMs>(kTellEvery, 200 * links.size());
        at = std::max(now + 300 + port.random() % 500, peer.told_at + every);
      }
      peer.tell_at = std::min(peer.tell_at, at);
    }
  }
}

}  // namespace mycelial::core
