// SPDX-License-Identifier: Apache-2.0
#include "core/exchange.hpp"

#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::size_t kPeersPerLink = 256;

}  // namespace

Exchange::Exchange(Depot& depot, Port& port, std::uint64_t session)
    : impl_(std::make_unique<Impl>(depot, port, session)) {}
Exchange::~Exchange() = default;

void Exchange::link_up(LinkNumber number, const LinkCaps& caps, TimeMs now) {
  Impl& s = *impl_;
  s.now = now;
  if (caps.message_bytes_max < kMessageBytesMin) {
    return s.give_up(number,
                     "the link takes messages of " + std::to_string(caps.message_bytes_max) +
                         " bytes at most, but mycelial needs " + std::to_string(kMessageBytesMin) +
                         "; let the transport cut and join them");
  }
  LinkState& link = s.links[number];
  link = {};
  link.caps = caps;
  link.digest_every = 1000;
  link.digest_at = now + 1000 + s.port.random() % 500;
  link.speech.full = link.speech.reply = true;
  link.have_said = now;
  if (!s.started_at) {  // an earlier run may have begun units
    s.started_at = now;
    s.find_waiting();
    s.sweep_at = now + kUnitPatience;
  }
  s.pump(number);
}

void Exchange::link_down(LinkNumber link, TimeMs now) {
  impl_->now = now;
  impl_->link_down(link);
}

void Exchange::Impl::link_down(LinkNumber number) {
  if (links.erase(number) == 0) return;
  told_groups.erase(number);
  std::erase_if(asked, [&](const auto& a) { return a.second.link == number; });
  sources.link_gone(number);
  plan_all();
}

/// Who speaks. A new session replaces the old one on a link of two; what it lacks it will ask for.
Peer* Exchange::Impl::hear(LinkNumber number, LinkState& link, const Message& m) {
  auto known = link.peers.find(m.session);
  if (known == link.peers.end()) {
    if (!link.caps.group) {
      const bool replaced = !link.peers.empty();
      link.peers.clear();
      link.data.clear();
      link.queued.clear();
      link.data_bytes = 0;
      std::erase_if(asked, [&](const auto& a) { return a.second.link == number; });
      if (replaced || link.have_said + 1000 < now) say_have_soon(link);
    }
    if (link.peers.size() >= kPeersPerLink) {
      link.peers.erase(std::min_element(
          link.peers.begin(), link.peers.end(),
          [](const auto& a, const auto& b) { return a.second.heard_at < b.second.heard_at; }));
    }
    known = link.peers.emplace(m.session, Peer{}).first;
    known->second.session = m.session;
  }
  known->second.site = m.site;
  known->second.heard_at = now;
  return &known->second;
}

void Exchange::receive(LinkNumber number, const Message& m, TimeMs now) {
  Impl& s = *impl_;
  s.now = now;
  const auto it = s.links.find(number);
  if (it == s.links.end() || m.session == s.session) return;
  Peer& peer = *s.hear(number, it->second, m);
  if (const auto* d = std::get_if<DigestMessage>(&m.body)) s.on_digest(number, peer, *d);
  if (const auto* h = std::get_if<HaveMessage>(&m.body)) s.on_have(number, peer, *h);
  if (const auto* w = std::get_if<WantMessage>(&m.body)) s.on_want(number, peer, *w);
  if (const auto* f = std::get_if<FragMessage>(&m.body)) s.on_frag(number, peer, *f);
  if (const auto* t = std::get_if<StopMessage>(&m.body)) s.on_stop(number, t->unit);
  if (const auto* p = std::get_if<ProbeMessage>(&m.body)) s.on_probe(number, *p);
  if (const auto* c = std::get_if<CompareMessage>(&m.body)) s.on_compare(number, peer, *c);
  if (const auto* b = std::get_if<ByeMessage>(&m.body)) {
    s.give_up(number, "the peer said goodbye: " + b->reason);
  }
  s.pump(number);
}

void Exchange::writable(LinkNumber link, TimeMs now) {
  impl_->now = now;
  const auto it = impl_->links.find(link);
  if (it == impl_->links.end()) return;
  it->second.blocked = false;
  impl_->pump(link);
}

void Exchange::sealed(std::span<const UnitRef> units, TimeMs now) {
  impl_->now = now;
  impl_->digest_known = false;
  std::set<Stream> streams;
  for (const auto& unit : units) {
    streams.insert(unit.stream);
    impl_->push(unit, true, 0);
  }
  impl_->announce(streams, 0);
}

void Exchange::retry(TimeMs now) {
  impl_->now = now;
  impl_->apply();
}

void Exchange::tick(TimeMs now) {
  impl_->now = now;
  impl_->tick();
}

TimeMs Exchange::next_tick() const {
  return impl_->next_tick();
}

std::vector<PeerStatus> Exchange::peers() const {
  std::vector<PeerStatus> out;
  (void)impl_->digest();
  for (const auto& [number, link] : impl_->links) {
    if (link.peers.empty()) out.push_back({number, {}, 0, false, false, 0, 0});
    for (const auto& [id, peer] : link.peers) {
      PeerStatus p{number, peer.site, id, peer.heard_have, false, 0, 0};
      p.in_sync = impl_->holds_the_same(peer);
      out.push_back(p);
      if (p.in_sync) continue;
      PeerStatus& told = out.back();
      for (const auto& [stream, entry] : peer.tips) {
        const auto ours = impl_->held(stream);
        if (entry.second.seq > ours) told.we_lack_sets += entry.second.seq - ours;
      }
      for (const auto& [stream, tip] : impl_->depot.have()) {
        const auto at = peer.tips.find(stream);
        const auto seq = at == peer.tips.end() ? 0 : at->second.second.seq;
        if (tip.seq > seq) told.they_lack_sets += tip.seq - seq;
      }
    }
  }
  return out;
}

bool Exchange::in_sync(LinkNumber link) const {
  const auto it = impl_->links.find(link);
  if (it == impl_->links.end() || it->second.peers.empty()) return false;
  (void)impl_->digest();
  return std::all_of(it->second.peers.begin(), it->second.peers.end(),
                     [&](const auto& p) { return impl_->holds_the_same(p.second); });
}

bool Exchange::has_links() const {
  return !impl_->links.empty();
}

void Exchange::Impl::give_up(LinkNumber number, const std::string& reason) {
  port.close(number, reason);
}

Hash have_digest(const Have& have) {
  Bytes all;
  for (const auto& [stream, tip] : have) {
    if (tip.seq == 0) continue;
    all.append(stream.site.view());
    put_varint(all, stream.scope);
    put_varint(all, stream.priority_class);
    put_varint(all, tip.seq);
    all.append(tip.hash.view());
  }
  return hash_parts({"mycelial have 1", all});
}

}  // namespace mycelial::core
