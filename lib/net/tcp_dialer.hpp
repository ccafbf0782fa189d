// SPDX-License-Identifier: Apache-2.0
// TcpDialer: keeps one link to one endpoint up, for ever.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "net/backoff.hpp"
#include "net/loop.hpp"
#include "net/resolver.hpp"
#include "net/tcp_link.hpp"

namespace mycelial::net {

/// All methods on the loop's thread.
class TcpDialer : public std::enable_shared_from_this<TcpDialer> {
 public:
  TcpDialer(std::shared_ptr<Loop> loop, std::string text, Endpoint endpoint,
            LinkAcceptor& acceptor);
  void start();
  /// No call to the acceptor follows; the link's handler hears on_closed before this returns.
  void stop(const Status& reason);

 private:
  void attempt();
  void try_next(const Status& last_failure);
  void on_connected(const error_code& error);
  void open_link();
  void on_link_end(const Status& reason);
  void failed(const Status& reason);

  const std::shared_ptr<Loop> loop_;
  const std::string text_;
  const Endpoint endpoint_;
  LinkAcceptor& acceptor_;
  Backoff backoff_;
  asio::steady_timer timer_;
  tcp::socket socket_;
  std::vector<tcp::endpoint> addresses_;
  std::size_t next_address_ = 0;
  std::shared_ptr<TcpLink> link_;
  bool was_up_ = false;
  bool timed_out_ = false;
  bool stopped_ = false;
  std::chrono::steady_clock::time_point up_since_;
};

}  // namespace mycelial::net
