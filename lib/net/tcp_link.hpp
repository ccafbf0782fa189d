// SPDX-License-Identifier: Apache-2.0
// TcpLink: one connection, from the exchange of prefaces until it is closed.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "mycelial/transport.hpp"
#include "net/frame_reader.hpp"
#include "net/loop.hpp"

namespace mycelial::net {

constexpr std::size_t kSendQueueMax = 512 * 1024;
constexpr std::size_t kReceiveCreditMax = 1024 * 1024;

class TcpLink final : public Link, public std::enable_shared_from_this<TcpLink> {
 public:
  /// Both run on the loop's thread. `on_up` when the other side has said the right preface; it
  /// gives the handler, or null to refuse. `on_end` once, after on_closed if there is a handler.
  struct Events {
    std::function<LinkHandler*(std::shared_ptr<Link>)> on_up;
    std::function<void(const Status&)> on_end;
  };

  TcpLink(std::shared_ptr<Loop> loop, tcp::socket socket, Events events);
  void start();
  /// On the loop's thread: closes at once, with all calls to the handler made on return.
  void finish(const Status& reason);

  LinkCaps caps() const noexcept override;
  SendOutcome send(std::string_view message) override;
  void consumed(std::size_t bytes) noexcept override;
  void close() noexcept override;
  std::string remote() const override { return remote_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase : std::uint8_t { preface, up, finished };

  void wait_readable();
  void on_readable(const error_code& error);
  void process();
  void deliver();
  void come_up();
  bool has_credit();
  bool is_paused();
  void resume();
  void post_write();  // mutex held
  bool refill();
  void write_some();
  void on_written(std::size_t bytes);
  void flush_rest();
  void arm_timer();
  void on_timer();
  void fail(Errc code, const std::string& what);

  const std::shared_ptr<Loop> loop_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  Events events_;
  std::string remote_;

  // On the loop's thread.
  Phase phase_ = Phase::preface;
  LinkHandler* handler_ = nullptr;
  FrameReader reader_;
  std::string writing_;
  std::size_t written_ = 0;
  Clock::time_point started_;
  Clock::time_point last_heard_;
  Clock::time_point last_sent_;

  // Shared with the threads that send.
  std::mutex mutex_;
  std::string pending_;
  std::size_t in_flight_ = 0;  // bytes of writing_ not yet written
  std::size_t outstanding_ = 0;
  bool write_active_ = false;
  bool wants_writable_ = false;
  bool paused_ = false;  // not reading: the receiver is behind
  bool resume_posted_ = false;
  bool closing_ = false;
};

}  // namespace mycelial::net
