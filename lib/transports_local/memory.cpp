// SPDX-License-Identifier: Apache-2.0
#include "mycelial/transports/memory.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "transports_local/memory_link.hpp"

namespace mycelial {
namespace local {
namespace {

constexpr std::string_view kScheme = "memory://";
constexpr std::size_t kNameBytesMax = 255;
constexpr std::chrono::milliseconds kRetryMin{5};
constexpr std::chrono::milliseconds kRetryMax{200};

class MemoryTransport;

/// The listeners of the process, by name. The mutex is held while an accept is handed to a
/// listener's strand, so that a listener cannot vanish in between.
struct Names {
  std::mutex mutex;
  std::map<std::string, MemoryTransport*> listeners;
};

Names& names() {
  static Names* const all = new Names;
  return *all;
}

Status check_endpoint(const std::string& endpoint) {
  const bool known = endpoint.compare(0, kScheme.size(), kScheme) == 0;
  if (known && endpoint.size() > kScheme.size() &&
      endpoint.size() <= kScheme.size() + kNameBytesMax) {
    return {};
  }
  return Status(Errc::invalid_argument,
                "'" + endpoint + "' is not an endpoint of the form memory://NAME");
}

class MemoryTransport final : public Transport {
 public:
  MemoryTransport() : strand_(std::make_shared<Strand>()) { strand_->start(); }
  MemoryTransport(const MemoryTransport&) = delete;
  MemoryTransport& operator=(const MemoryTransport&) = delete;
  ~MemoryTransport() override { stop(); }

  std::string scheme() const override { return "memory"; }
  Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) override;
  Status dial(const std::string& endpoint, LinkAcceptor& acceptor) override;
  void stop() noexcept override;

 private:
  struct Dial {
    std::string endpoint;
    LinkAcceptor* acceptor = nullptr;
    std::chrono::milliseconds retry = kRetryMin;
  };

  void attempt(const std::shared_ptr<Dial>& dial);
  void failed(const std::shared_ptr<Dial>& dial, const Status& reason);
  void accept(const std::shared_ptr<Pair>& pair, const std::string& endpoint);
  void bring_up(const std::shared_ptr<Pair>& pair, int side, LinkAcceptor& acceptor,
                const std::string& endpoint, std::function<void(const Status&)> on_end);
  void close_all();

  const std::shared_ptr<Strand> strand_;
  std::map<std::string, LinkAcceptor*> acceptors_;  // under names().mutex
  std::atomic<bool> stopped_{false};
  std::set<std::pair<std::shared_ptr<Pair>, int>> open_;  // on the strand
  bool closing_ = false;                                  // on the strand
};

Result<std::string> MemoryTransport::listen(const std::string& endpoint, LinkAcceptor& acceptor) {
  if (Status status = check_endpoint(endpoint); !status.ok()) return status;
  const std::lock_guard lock(names().mutex);
  if (stopped_) return Status(Errc::closed, endpoint + ": the transport was stopped");
  if (!names().listeners.emplace(endpoint, this).second) {
    return Status(Errc::busy, endpoint +
                                  ": another transport of this process listens there; "
                                  "stop it or choose another name");
  }
  acceptors_[endpoint] = &acceptor;
  return endpoint;
}

Status MemoryTransport::dial(const std::string& endpoint, LinkAcceptor& acceptor) {
  if (Status status = check_endpoint(endpoint); !status.ok()) return status;
  auto dial = std::make_shared<Dial>();
  dial->endpoint = endpoint;
  dial->acceptor = &acceptor;
  if (!strand_->post([this, dial] { attempt(dial); })) {
    return Status(Errc::closed, endpoint + ": the transport was stopped");
  }
  return {};
}

void MemoryTransport::attempt(const std::shared_ptr<Dial>& dial) {
  static std::atomic<std::uint64_t> counter{0};
  std::shared_ptr<Pair> pair;
  {
    const std::lock_guard lock(names().mutex);
    const auto found = names().listeners.find(dial->endpoint);
    if (found != names().listeners.end()) {
      MemoryTransport* const listener = found->second;
      pair = std::make_shared<Pair>(strand_, dial->endpoint + "#" + std::to_string(++counter),
                                    listener->strand_, dial->endpoint);
      const bool posted = listener->strand_->post(
          [listener, pair, endpoint = dial->endpoint] { listener->accept(pair, endpoint); });
      if (!posted) pair = nullptr;
    }
  }
  if (!pair) {
    failed(dial, Status(Errc::not_found, dial->endpoint + ": nobody listens there yet"));
    return;
  }
  dial->retry = kRetryMin;
  bring_up(pair, 0, *dial->acceptor, dial->endpoint,
           [this, dial](const Status& reason) { failed(dial, reason); });
}

void MemoryTransport::failed(const std::shared_ptr<Dial>& dial, const Status& reason) {
  if (closing_) return;
  strand_->post_after(dial->retry, [this, dial] { attempt(dial); });
  dial->retry = std::min(dial->retry * 2, kRetryMax);
  dial->acceptor->on_dial_failed(dial->endpoint, reason);
}

void MemoryTransport::accept(const std::shared_ptr<Pair>& pair, const std::string& endpoint) {
  LinkAcceptor* acceptor = nullptr;
  {
    const std::lock_guard lock(names().mutex);
    acceptor = acceptors_.at(endpoint);
  }
  bring_up(pair, 1, *acceptor, endpoint, [](const Status&) {});
}

void MemoryTransport::bring_up(const std::shared_ptr<Pair>& pair, int side, LinkAcceptor& acceptor,
                               const std::string& endpoint,
                               std::function<void(const Status&)> on_end) {
  LinkHandler* const handler = acceptor.on_link(pair->make_link(side), side == 0, endpoint);
  open_.emplace(pair, side);
  pair->attach(side, handler, [this, pair, side, then = std::move(on_end)](const Status& reason) {
    open_.erase({pair, side});
    then(reason);
  });
}

void MemoryTransport::close_all() {
  closing_ = true;
  while (!open_.empty()) {
    const auto [pair, side] = *open_.begin();
    pair->finish_now(side, Status(Errc::closed, "the transport was stopped"));
    open_.erase({pair, side});
  }
}

void MemoryTransport::stop() noexcept {
  {
    const std::lock_guard lock(names().mutex);
    stopped_ = true;
    for (const auto& [endpoint, acceptor] : acceptors_) names().listeners.erase(endpoint);
  }
  strand_->finish([this] { close_all(); });
}

}  // namespace
}  // namespace local

std::unique_ptr<Transport> make_memory_transport() {
  return std::make_unique<local::MemoryTransport>();
}

}  // namespace mycelial
