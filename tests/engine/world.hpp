// SPDX-License-Identifier: Apache-2.0
// A clock, an executor, entropy and a network for one thread and virtual time.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mycelial/environment.hpp"
#include "mycelial/transport.hpp"

namespace mycelial::engine {

class World final : public Clock, public Entropy, public Executor {
 public:
  std::uint64_t monotonic_ms() noexcept override { return now_; }
  std::uint64_t wall_ms() noexcept override { return 1'700'000'000'000 + now_; }
  void fill(void* out, std::size_t bytes) noexcept override {
    for (std::size_t i = 0; i < bytes; ++i) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;
      static_cast<unsigned char*>(out)[i] = static_cast<unsigned char>(random_ >> 56);
    }
  }
  void post(Task task) override { post_at(now_, std::move(task)); }
  void post_at(std::uint64_t at, Task task) override {
    tasks_.emplace(std::pair(std::max(at, now_), ++order_), std::move(task));
  }
  /// Runs everything due until then. Gives the number of tasks run.
  std::size_t run(std::uint64_t for_ms) {
    const std::uint64_t end = now_ + for_ms;
    std::size_t count = 0;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      auto first = tasks_.extract(tasks_.begin());
      now_ = std::max(now_, first.key().first);
      first.mapped()();
      ++count;
    }
    now_ = end;
    return count;
  }
  Environment environment() { return {this, this, this}; }

 private:
  std::uint64_t now_ = 1000, order_ = 0, random_ = 42;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Task> tasks_;
};

/// sim://NAME: pairs of links between the transports of one World.
class SimNet {
 public:
  explicit SimNet(World& world) : world_(world) {}
  ~SimNet() { cut(true); }
  SimNet(const SimNet&) = delete;
  SimNet& operator=(const SimNet&) = delete;
  std::unique_ptr<Transport> transport();
  void cut(bool down);  ///< Breaks every link; dialing fails until it is lifted.
  /// Changes or (false) swallows messages on their way.
  std::function<bool(std::string&)> meddle;
  std::size_t messages = 0, consumed = 0, delivered = 0;

 private:
  struct End;
  class SimLink;
  class SimTransport;
  struct End {
    LinkHandler* handler = nullptr;
    std::weak_ptr<End> other;
    bool open = true;
    std::function<void()> on_end;
  };
  void end(const std::shared_ptr<End>& one, const std::string& why);
  void attempt(const std::string& endpoint, LinkAcceptor& acceptor,
               const std::shared_ptr<bool>& alive);

  World& world_;
  bool down_ = false;
  std::map<std::string, LinkAcceptor*> listeners_;
  std::vector<std::shared_ptr<End>> ends_;
};

class SimNet::SimLink final : public Link {
 public:
  SimLink(SimNet& net, std::shared_ptr<End> end, std::string remote)
      : net_(net), end_(std::move(end)), remote_(std::move(remote)) {}
  LinkCaps caps() const noexcept override { return {4096, 0, 1, false}; }
  SendOutcome send(std::string_view message) override {
    if (!end_->open) return SendOutcome::closed;
    std::string bytes(message);
    ++net_.messages;
    if (net_.meddle && !net_.meddle(bytes)) return SendOutcome::accepted;
    net_.world_.post_at(net_.world_.monotonic_ms() + 1, [net = &net_, to = end_->other, bytes] {
      const auto end = to.lock();
      if (!end || !end->open || end->handler == nullptr) return;
      net->delivered += bytes.size();
      end->handler->on_message(bytes);
    });
    return SendOutcome::accepted;
  }
  void consumed(std::size_t bytes) noexcept override { net_.consumed += bytes; }
  void close() noexcept override {
    // After what was sent before.
    net_.world_.post_at(net_.world_.monotonic_ms() + 2,
                        [net = &net_, end = end_] { net->end(end, "closed"); });
  }
  std::string remote() const override { return remote_; }

 private:
  SimNet& net_;
  const std::shared_ptr<End> end_;
  const std::string remote_;
};

class SimNet::SimTransport final : public Transport {
 public:
  explicit SimTransport(SimNet& net) : net_(net) {}
  ~SimTransport() override { SimTransport::stop(); }
  std::string scheme() const override { return "sim"; }
  Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) override {
    net_.listeners_[endpoint] = &acceptor;
    mine_.push_back(endpoint);
    return endpoint;
  }
  Status dial(const std::string& endpoint, LinkAcceptor& acceptor) override {
    net_.attempt(endpoint, acceptor, alive_);
    return {};
  }
  void stop() noexcept override {
    *alive_ = false;
    for (const auto& endpoint : mine_) net_.listeners_.erase(endpoint);
    mine_.clear();
  }

 private:
  SimNet& net_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::string> mine_;
};

inline std::unique_ptr<Transport> SimNet::transport() {
  return std::make_unique<SimTransport>(*this);
}

inline void SimNet::end(const std::shared_ptr<End>& one, const std::string& why) {
  for (const auto& end : {one, one->other.lock()}) {
    if (!end || !std::exchange(end->open, false)) continue;
    if (end->handler != nullptr) end->handler->on_closed(Status(Errc::closed, why));
    if (end->on_end) end->on_end();
  }
}

inline void SimNet::cut(bool down) {
  down_ = down;
  if (!down) return;
  for (const auto& end_of : std::exchange(ends_, {})) end(end_of, "the network broke");
}

inline void SimNet::attempt(const std::string& endpoint, LinkAcceptor& acceptor,
                            const std::shared_ptr<bool>& alive) {
  world_.post_at(world_.monotonic_ms() + 1, [this, endpoint, &acceptor, alive] {
    if (!*alive) return;
    const auto again = [this, endpoint, &acceptor, alive] {
      if (!*alive) return;
      world_.post_at(world_.monotonic_ms() + 100,
                     [this, endpoint, &acceptor, alive] { attempt(endpoint, acceptor, alive); });
    };
    const auto found = listeners_.find(endpoint);
    if (down_ || found == listeners_.end()) {
      acceptor.on_dial_failed(endpoint, Status(Errc::io, endpoint + ": nobody answers"));
      return again();
    }
    const auto a = std::make_shared<End>(), b = std::make_shared<End>();
    a->other = b;
    b->other = a;
    a->handler = acceptor.on_link(std::make_shared<SimLink>(*this, a, endpoint), true, endpoint);
    b->handler = found->second->on_link(std::make_shared<SimLink>(*this, b, "sim://caller"), false,
                                        endpoint);
    ends_.push_back(a);
    ends_.push_back(b);
    a->on_end = again;  // a transport dials again when its link has ended
  });
}

}  // namespace mycelial::engine
