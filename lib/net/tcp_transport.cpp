// SPDX-License-Identifier: Apache-2.0
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "net/tcp_dialer.hpp"
#include "net/tcp_listener.hpp"

namespace mycelial {
namespace net {
namespace {

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(const TcpOptions& options)
      : loop_(std::make_shared<Loop>(options)), work_(asio::make_work_guard(loop_->io)) {}
  TcpTransport(const TcpTransport&) = delete;
  TcpTransport& operator=(const TcpTransport&) = delete;
  ~TcpTransport() override { stop(); }

  std::string scheme() const override { return "tcp"; }
  Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) override;
  Status dial(const std::string& endpoint, LinkAcceptor& acceptor) override;
  void stop() noexcept override;

 private:
  Status ensure_running(const std::string& endpoint);  // mutex held
  static void run(Loop& loop);
  void close_all();

  const std::shared_ptr<Loop> loop_;
  std::mutex stop_mutex_;  // a second stop() waits for the first
  std::mutex mutex_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
  bool stopped_ = false;
  std::vector<std::shared_ptr<TcpListener>> listeners_;
  std::vector<std::shared_ptr<TcpDialer>> dialers_;
};

void TcpTransport::run(Loop& loop) {
  for (;;) {
    try {
      loop.io.run();
      return;
    } catch (...) {  // A callback of the host threw, or memory ran out: the rest goes on.
    }
  }
}

Status TcpTransport::ensure_running(const std::string& endpoint) {
  if (stopped_) return Status(Errc::closed, endpoint + ": the transport was stopped");
  if (!thread_.joinable()) thread_ = std::thread([loop = loop_] { run(*loop); });
  return {};
}

Result<std::string> TcpTransport::listen(const std::string& endpoint, LinkAcceptor& acceptor) {
  const Result<Endpoint> parsed = parse_endpoint(endpoint);
  if (!parsed.ok()) return parsed.status();
  try {
    const auto listener = std::make_shared<TcpListener>(loop_, acceptor);
    Result<std::string> bound = listener->open(endpoint, *parsed);
    if (!bound.ok()) return bound;
    const std::lock_guard lock(mutex_);
    if (Status status = ensure_running(endpoint); !status.ok()) return status;
    listeners_.push_back(listener);
    asio::post(loop_->io, [listener] { listener->start(); });
    return bound;
  } catch (const std::exception& e) {
    return Status(Errc::io, endpoint + ": cannot listen: " + e.what());
  }
}

Status TcpTransport::dial(const std::string& endpoint, LinkAcceptor& acceptor) {
  const Result<Endpoint> parsed = parse_endpoint(endpoint);
  if (!parsed.ok()) return parsed.status();
  if (parsed->port == 0) {
    return Status(Errc::invalid_argument, "'" + endpoint + "': nobody can be reached at port 0");
  }
  try {
    const auto dialer = std::make_shared<TcpDialer>(loop_, endpoint, *parsed, acceptor);
    const std::lock_guard lock(mutex_);
    if (Status status = ensure_running(endpoint); !status.ok()) return status;
    dialers_.push_back(dialer);
    asio::post(loop_->io, [dialer] { dialer->start(); });
    return {};
  } catch (const std::exception& e) {
    return Status(Errc::io, endpoint + ": cannot dial: " + e.what());
  }
}

void TcpTransport::close_all() {
  const Status reason(Errc::closed, "the transport was stopped");
  for (const auto& dialer : dialers_) dialer->stop(reason);
  for (const auto& listener : listeners_) listener->stop(reason);
}

void TcpTransport::stop() noexcept {
  const std::lock_guard serial(stop_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  // From here on nobody else touches the lists.
  if (thread_.joinable()) {
    asio::post(loop_->io, [this] { close_all(); });
    work_.reset();
    thread_.join();  // the loop ends when the last aborted operation has been told so
  }
  listeners_.clear();
  dialers_.clear();
}

}  // namespace
}  // namespace net

std::unique_ptr<Transport> make_tcp_transport(const TcpOptions& options) {
  return std::make_unique<net::TcpTransport>(options);
}

}  // namespace mycelial
