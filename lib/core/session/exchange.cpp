// SPDX-License-Identifier: Apache-2.0
#include "core/exchange.hpp"

#include <algorithm>

#include "core/session/impl.hpp"

namespace mycelial::core {
namespace {

constexpr std::size_t kOverhead = 160;            // bytes of a fragment beside its payload, at most
constexpr std::size_t kFragmentMax = 128 * 1024;  // so that urgent things wait little
constexpr std::size_t kPeersPerLink = 256;

}  // namespace

Exchange::Exchange(Depot& depot, Port& port, std::uint64_t session)
    : impl_(std::make_unique<Impl>(depot, port, session)) {}
Exchange::~Exchange() = default;

void Exchange::link_up(LinkNumber link, const LinkCaps& caps, TimeMs now) {
  impl_->now = now;
  LinkState& state = impl_->links[link];
  state = {};
  state.caps = caps;
  state.digest_every = 1000;
  state.digest_at = now + 1000 + impl_->port.random() % 500;
  impl_->say_have(link, nullptr, true);
}

void Exchange::link_down(LinkNumber link, TimeMs now) {
  impl_->now = now;
  impl_->links.erase(link);
  std::erase_if(impl_->asked, [&](const auto& a) { return a.second.link == link; });
  std::erase_if(impl_->sources, [&](const auto& s) { return s.second.first == link; });
  impl_->plan_all();
}

void Exchange::receive(LinkNumber number, const Message& m, TimeMs now) {
  Impl& s = *impl_;
  s.now = now;
  const auto it = s.links.find(number);
  if (it == s.links.end() || m.session == s.session) return;
  LinkState& link = it->second;
  auto known = link.peers.find(m.session);
  if (known == link.peers.end()) {
    if (!link.caps.group) {  // a new session replaces the old one; what it lacks it will ask for
      link.peers.clear();
      link.data.clear();
      link.data_bytes = 0;
    }
    if (link.peers.size() >= kPeersPerLink) link.peers.erase(link.peers.begin());
    known = link.peers.emplace(m.session, Peer{}).first;
    known->second.session = m.session;
  }
  Peer& peer = known->second;
  peer.site = m.site;
  if (const auto* d = std::get_if<DigestMessage>(&m.body)) s.on_digest(number, peer, *d);
  if (const auto* h = std::get_if<HaveMessage>(&m.body)) s.on_have(number, peer, *h);
  if (const auto* w = std::get_if<WantMessage>(&m.body)) s.on_want(number, peer, *w);
  if (const auto* f = std::get_if<FragMessage>(&m.body)) s.on_frag(number, peer, *f);
  if (const auto* t = std::get_if<StopMessage>(&m.body)) s.on_stop(number, *t);
  if (const auto* p = std::get_if<ProbeMessage>(&m.body)) s.on_probe(number, *p);
  if (const auto* b = std::get_if<ByeMessage>(&m.body)) {
    s.port.close(number, "the peer said goodbye: " + b->reason);
  }
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
  impl_->announce(streams);
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
  for (const auto& [number, link] : impl_->links) {
    if (link.peers.empty()) out.push_back({number, {}, 0, false, false, 0, 0});
    for (const auto& [id, peer] : link.peers) {
      PeerStatus p{number, peer.site, id, peer.heard_have, false, 0, 0};
      std::map<Stream, std::uint64_t> theirs;
      for (const auto& [stream, tip] : peer.tips) {
        theirs[stream] = tip.second.seq;
        const auto ours = impl_->held(stream);
        if (tip.second.seq > ours) p.we_lack_sets += tip.second.seq - ours;
      }
      for (const auto& [stream, tip] : impl_->depot.have()) {
        const auto at = theirs.find(stream);
        const auto seq = at == theirs.end() ? 0 : at->second;
        if (tip.seq > seq) p.they_lack_sets += tip.seq - seq;
      }
      p.in_sync = peer.heard_have && peer.have == impl_->digest() && impl_->lacks_nothing(peer);
      out.push_back(p);
    }
  }
  return out;
}

bool Exchange::in_sync(LinkNumber link) const {
  const auto it = impl_->links.find(link);
  if (it == impl_->links.end() || it->second.peers.empty()) return false;
  return std::all_of(it->second.peers.begin(), it->second.peers.end(), [&](const auto& p) {
    return p.second.heard_have && p.second.have == impl_->digest() &&
           impl_->lacks_nothing(p.second);
  });
}

bool Exchange::has_links() const {
  return !impl_->links.empty();
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

// ---- sending ------------------------------------------------------------------------------------

/// Control is state, not a queue: a newer statement replaces the unsent older one of its kind.
void Exchange::Impl::say(LinkNumber number, const std::string& key, decltype(Message::body) body) {
  auto& link = links.at(number);
  Message message{depot.site(), session, std::move(body)};
  const auto same = std::find_if(link.control.begin(), link.control.end(),
                                 [&](const auto& c) { return c.first == key; });
  if (same != link.control.end()) {
    same->second = std::move(message);
  } else {
    link.control.emplace_back(key, std::move(message));
  }
  pump(number);
}

std::size_t Exchange::Impl::fragment_bytes(const LinkCaps& caps) const {
  std::size_t bytes = std::min(kFragmentMax, caps.message_bytes_max);
  if (caps.bytes_per_second) {
    bytes = std::min<std::size_t>(bytes, std::max<std::uint64_t>(caps.bytes_per_second / 4, 64));
  }
  return bytes > kOverhead + 32 ? bytes - kOverhead : 32;
}

TimeMs Exchange::Impl::patience(const LinkCaps& caps) const {
  const TimeMs transmit =
      caps.bytes_per_second ? 4000 * fragment_bytes(caps) / caps.bytes_per_second : 0;
  return 1000 + 2 * caps.delay_ms + transmit;
}

/// Sends what the link takes. Control and data take turns, so that neither starves.
void Exchange::Impl::pump(LinkNumber number) {
  const auto it = links.find(number);
  if (it == links.end()) return;
  LinkState& link = it->second;
  while (!link.blocked && (!link.control.empty() || !link.data.empty())) {
    if (!link.control.empty() && (!link.data_next || link.data.empty())) {
      const auto outcome = port.send(number, link.control.front().second);
      link.blocked = outcome != SendOutcome::accepted;
      if (link.blocked) return;
      link.control.pop_front();
      link.data_next = true;
    } else {
      if (!send_fragment(number, link)) return;
      link.data_next = false;
    }
  }
}

bool Exchange::Impl::send_fragment(LinkNumber number, LinkState& link) {
  Job& job = link.data.front();
  const ByteRange range = job.ranges.front();
  const std::size_t size =
      std::min<std::uint64_t>(fragment_bytes(link.caps), range.end - range.begin);
  auto bytes = depot.read(job.unit, range.begin, size);
  if (!bytes.ok() || bytes->empty()) {  // it left the tail meanwhile; the peer asks again
    for (const auto& r : job.ranges) link.data_bytes -= r.end - r.begin;
    link.data.pop_front();
    return true;
  }
  const auto sent = bytes->size();
  const bool more = link.data.size() > 1 || job.ranges.size() > 1 || range.begin + sent < range.end;
  const Message message{depot.site(), session,
                        FragMessage{job.unit, range.begin, std::move(*bytes), more}};
  link.blocked = port.send(number, message) != SendOutcome::accepted;
  if (link.blocked) return false;
  link.data_bytes -= sent;
  job.ranges.front().begin += sent;
  if (job.ranges.front().begin >= job.ranges.front().end) job.ranges.pop_front();
  if (job.ranges.empty()) link.data.pop_front();
  return true;
}

void Exchange::Impl::give_up(LinkNumber number, const std::string& reason) {
  port.close(number, reason);
}

}  // namespace mycelial::core
