// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.hpp"

#include <algorithm>
#include <deque>

#include "tests/sim/marks.hpp"

namespace mycelial::sim {
namespace {

constexpr std::uint64_t kQueueMs = 500;  // a link keeps no more below it
constexpr std::uint64_t kRetryMs = 250;  // a stream looks whether its path is open again
constexpr std::uint64_t kRedialMinMs = 100;
constexpr std::uint64_t kRedialMaxMs = 5000;
constexpr char kScheme[] = "sim://";
constexpr double kEcho = 0.3;  // a group may give a sender what it sent

}  // namespace

/// One side of a link.
struct Network::End {
  std::string local, remote;
  Medium medium;
  LinkHandler* handler = nullptr;
  std::weak_ptr<End> other;
  bool open = true, dialed = false, closing = false;
  bool wants_room = false;                                   // send() said would_block
  std::uint64_t free_at = 0;                                 // when the transmitter is idle
  std::deque<std::pair<std::uint64_t, std::string>> flight;  // of a stream
  bool flowing = false;
  std::uint64_t stuck_since = 0, patience = 0;
  std::function<void()> on_end;
};

struct Network::Dial {
  std::string from, endpoint;
  LinkAcceptor* acceptor;
  std::shared_ptr<bool> alive;
  std::uint64_t backoff = kRedialMinMs;
  std::string to() const { return endpoint.substr(sizeof kScheme - 1); }
};

class Network::SimLink final : public Link {
 public:
  SimLink(Network& net, EndPtr end) : net_(net), end_(std::move(end)) {}
  LinkCaps caps() const noexcept override { return end_->medium.caps; }
  SendOutcome send(std::string_view message) override { return net_.send(end_, message); }
  void consumed(std::size_t bytes) noexcept override { net_.consumed += bytes; }
  void close() noexcept override { net_.close(end_); }
  std::string remote() const override { return kScheme + end_->remote; }

 private:
  Network& net_;
  const EndPtr end_;
};

class Network::SimTransport final : public Transport {
 public:
  SimTransport(Network& net, std::string node) : net_(net), node_(std::move(node)) {
    net_.running_.emplace_back(node_, alive_);
  }
  ~SimTransport() override { SimTransport::stop(); }
  std::string scheme() const override { return "sim"; }
  Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) override {
    net_.listeners_[endpoint] = &acceptor;
    mine_.push_back(endpoint);
    return endpoint;
  }
  Status dial(const std::string& endpoint, LinkAcceptor& acceptor) override {
    net_.attempt(std::make_shared<Dial>(Dial{node_, endpoint, &acceptor, alive_}));
    return {};
  }
  void stop() noexcept override {
    if (!std::exchange(*alive_, false)) return;
    for (const auto& endpoint : mine_) net_.listeners_.erase(endpoint);
  }

 private:
  Network& net_;
  const std::string node_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::string> mine_;
};

Network::~Network() {
  cut(true);
}

std::unique_ptr<Transport> Network::transport(const std::string& node) {
  return std::make_unique<SimTransport>(*this, node);
}

void Network::set_medium(const std::string& a, const std::string& b, const Medium& medium) {
  media_[std::minmax(a, b)] = medium;
}

Medium Network::medium(const std::string& a, const std::string& b) const {
  const auto found = media_.find(std::minmax(a, b));
  return found == media_.end() ? Medium() : found->second;
}

void Network::kill(const std::string& node) {
  for (auto& [name, alive] : running_) {
    if (const auto flag = alive.lock(); flag && name == node) *flag = false;
  }
  std::erase_if(running_, [](const auto& r) { return r.second.expired(); });
  listeners_.erase(kScheme + node);
  const auto all = ends_;
  for (const EndPtr& one : all) {
    if (one->local != node || !one->open) continue;
    const EndPtr other = one->other.lock();
    end_local(one, "killed");
    if (!one->medium.reliable || !other) continue;
    world_.post_at(world_.monotonic_ms() + 1 + random_.below(3000),
                   [this, other] { end_local(other, "connection reset"); });
  }
}

Network::EndPtr Network::make_end(const std::string& local, const std::string& remote,
                                  const Medium& medium) {
  auto end = std::make_shared<End>();
  end->local = local;
  end->remote = remote;
  end->medium = medium;
  std::erase_if(ends_, [](const EndPtr& e) { return !e->open; });
  ends_.push_back(end);
  return end;
}

/// A node has one datagram link with another: where they come from is all that tells them apart.
Network::EndPtr Network::datagram_end(const std::string& local, const std::string& remote) const {
  for (const EndPtr& one : ends_) {
    if (one->open && !one->medium.reliable && one->local == local && one->remote == remote)
      return one;
  }
  return nullptr;
}

/// The listener's side of a link that `caller` has dialed; null if nobody listens.
Network::EndPtr Network::accept(const EndPtr& caller) {
  const auto found = listeners_.find(kScheme + caller->remote);
  if (found == listeners_.end()) return nullptr;
  const EndPtr end = make_end(caller->remote, caller->local, caller->medium);
  end->other = caller;
  caller->other = end;
  end->handler = found->second->on_link(std::make_shared<SimLink>(*this, end), false,
                                        kScheme + caller->remote);
  return end;
}

/// Room comes later, or the link breaks.
SendOutcome Network::refused(const EndPtr& from, SendOutcome how) {
  if (how == SendOutcome::closed) close(from);
  if (how == SendOutcome::would_block) {
    world_.post_at(world_.monotonic_ms() + kQueueMs, [from] {
      if (from->open && from->handler) from->handler->on_writable();
    });
  }
  return how;
}

SendOutcome Network::send(const EndPtr& from, std::string_view message) {
  if (!from->open) return SendOutcome::closed;
  if (const auto how = refuse ? refuse() : std::nullopt) return refused(from, *how);
  if (message.empty() || message.size() > from->medium.caps.message_bytes_max) {
    fault = from->local + " sent a message of " + std::to_string(message.size()) + " bytes";
  }
  const std::uint64_t now = world_.monotonic_ms();
  const Path& way = path(from->local, from->remote);
  if (way.bytes_per_second && from->free_at > now + kQueueMs) {
    if (!std::exchange(from->wants_room, true)) {
      world_.post_at(from->free_at - kQueueMs / 2, [from] {
        from->wants_room = false;
        if (from->open && from->handler) from->handler->on_writable();
      });
    }
    return SendOutcome::would_block;
  }
  std::string bytes(message);
  ++messages;
  if (meddle && !meddle(bytes)) return SendOutcome::accepted;
  from->free_at = std::max(from->free_at, now);
  if (way.bytes_per_second) from->free_at += 1000 * bytes.size() / way.bytes_per_second;
  if (from->medium.caps.group) {
    send_to_group(from, bytes);
    return SendOutcome::accepted;
  }
  if (!from->medium.reliable) {
    send_datagram(from, bytes);
    return SendOutcome::accepted;
  }
  std::uint64_t at = from->free_at + way.delay_ms + random_.below(way.jitter_ms + 1);
  if (!from->flight.empty()) at = std::max(at, from->flight.back().first);
  from->flight.emplace_back(at, std::move(bytes));
  if (!std::exchange(from->flowing, true)) world_.post_at(at, [this, from] { flow(from); });
  return SendOutcome::accepted;
}

/// Each member hears it, or not, in its own time.
void Network::send_to_group(const EndPtr& from, const std::string& bytes) {
  const Path& out = path(from->local, from->remote);
  for (const EndPtr& to : ends_) {
    const Path& in = path(to->remote, to->local);
    if (!to->open || to->remote != from->remote || in.blocked || out.blocked || down_) continue;
    if (to == from ? !random_.chance(kEcho) : random_.chance(in.loss)) continue;
    mark(Mark::group_used);
    const int copies = random_.chance(in.duplicate) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const auto at = from->free_at + in.delay_ms + random_.below(in.jitter_ms + 1);
      world_.post_at(at, [this, from, to, bytes] {
        if (!to->open || to->handler == nullptr) return;
        delivered += bytes.size();
        if (on_delivery) on_delivery(from->local, to->local, bytes);
        to->handler->on_message(bytes);
      });
    }
  }
}

void Network::send_datagram(const EndPtr& from, const std::string& bytes) {
  const Path& way = path(from->local, from->remote);
  if (way.blocked || down_ || random_.chance(way.loss)) return mark(Mark::message_lost);
  const int copies = random_.chance(way.duplicate) ? 2 : 1;
  if (copies > 1) mark(Mark::message_doubled);
  for (int i = 0; i < copies; ++i) {
    const auto at = from->free_at + way.delay_ms + random_.below(way.jitter_ms + 1);
    world_.post_at(at, [this, from, bytes] { arrive(from, bytes); });
  }
}

/// What is due of a stream arrives. A path that stays blocked breaks it.
void Network::flow(const EndPtr& from) {
  const std::uint64_t now = world_.monotonic_ms();
  while (!from->flight.empty() && from->flight.front().first <= now) {
    if (path(from->local, from->remote).blocked || down_) {
      if (from->stuck_since == 0) {
        from->stuck_since = now;
        from->patience = 5000 + random_.below(10000);
      }
      if (now - from->stuck_since > from->patience) return end(from, "timed out");
      world_.post_at(now + kRetryMs, [this, from] { flow(from); });
      return;
    }
    from->stuck_since = 0;
    const std::string bytes = std::move(from->flight.front().second);
    from->flight.pop_front();
    arrive(from, bytes);
  }
  from->flowing = !from->flight.empty();
  if (from->flowing) {
    world_.post_at(from->flight.front().first, [this, from] { flow(from); });
  } else if (from->closing) {
    if (const EndPtr other = from->other.lock()) end_local(other, "closed");
  }
}

void Network::arrive(const EndPtr& from, const std::string& bytes) {
  EndPtr to = from->other.lock();
  if (!from->medium.reliable && from->open && (!to || !to->open)) {
    to = datagram_end(from->remote, from->local);
    if (!to) to = accept(from);
  }
  if (!to || !to->open || to->handler == nullptr) return;
  if (lets_in && !lets_in(from->local, bytes)) return;
  delivered += bytes.size();
  if (on_delivery) on_delivery(from->local, from->remote, bytes);
  to->handler->on_message(bytes);
}

/// After what was sent before. Nobody tells the other end of a datagram link.
void Network::close(const EndPtr& one) {
  if (std::exchange(one->closing, true)) return;
  world_.post_at(world_.monotonic_ms() + 1, [this, one] {
    end_local(one, "closed");
    if (!one->medium.reliable || one->flowing) return;
    if (const EndPtr other = one->other.lock()) end_local(other, "closed");
  });
}

void Network::end(const EndPtr& one, const std::string& why) {
  const EndPtr other = one->other.lock();
  end_local(one, why);
  if (other) end_local(other, why);
}

void Network::end_local(const EndPtr& one, const std::string& why) {
  if (!std::exchange(one->open, false)) return;
  if (!one->closing) one->flight.clear();
  if (one->handler != nullptr) one->handler->on_closed(Status(Errc::closed, why));
  if (one->on_end) one->on_end();
}

void Network::cut(bool down) {
  down_ = down;
  if (!down) return;
  for (const EndPtr& one : std::exchange(ends_, {})) end(one, "the network broke");
}

void Network::sever(const std::string& a, const std::string& b) {
  const auto all = ends_;
  for (const EndPtr& one : all) {
    if (one->local == a && one->remote == b) end(one, "the link broke");
  }
}

void Network::again(const std::shared_ptr<Dial>& dial) {
  if (!*dial->alive) return;
  const std::uint64_t wait = dial->backoff + random_.below(dial->backoff / 2);
  dial->backoff = std::min(dial->backoff * 2, kRedialMaxMs);
  world_.post_at(world_.monotonic_ms() + wait, [this, dial] { attempt(dial); });
}

void Network::attempt(const std::shared_ptr<Dial>& dial) {
  world_.post_at(world_.monotonic_ms() + 1, [this, dial] {
    if (!*dial->alive) return;
    const std::string to = dial->to();
    const Medium what = medium(dial->from, to);
    if (what.caps.group) {
      const EndPtr member = make_end(dial->from, to, what);
      member->dialed = true;
      member->on_end = [this, dial] { again(dial); };
      member->handler =
          dial->acceptor->on_link(std::make_shared<SimLink>(*this, member), true, dial->endpoint);
      return;
    }
    const bool reached = !down_ && !path(dial->from, to).blocked && !path(to, dial->from).blocked &&
                         listeners_.contains(dial->endpoint);
    if (what.reliable && !reached) {
      dial->acceptor->on_dial_failed(dial->endpoint,
                                     Status(Errc::io, dial->endpoint + ": nobody answers"));
      return again(dial);
    }
    dial->backoff = kRedialMinMs;
    if (const EndPtr old = what.reliable ? nullptr : datagram_end(dial->from, to))
      end_local(old, "dialed");
    const EndPtr end = make_end(dial->from, to, what);
    end->dialed = true;
    end->on_end = [this, dial] { again(dial); };  // a transport dials again
    end->handler =
        dial->acceptor->on_link(std::make_shared<SimLink>(*this, end), true, dial->endpoint);
    if (what.reliable) accept(end);
  });
}

void Network::inject(const std::string& node, std::vector<std::string> all) {
  Medium wide;
  wide.caps.message_bytes_max = std::size_t{1} << 20;
  const EndPtr caller = make_end("replayer", node, wide);
  const EndPtr heard = accept(caller);
  if (!heard) return;
  for (std::string& bytes : all) caller->flight.emplace_back(world_.monotonic_ms(), bytes);
  caller->flowing = caller->closing = true;
  world_.post_at(world_.monotonic_ms() + 1, [this, caller] { flow(caller); });
}

}  // namespace mycelial::sim
