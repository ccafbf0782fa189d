// SPDX-License-Identifier: Apache-2.0
// TcpListener: accepts connections at one endpoint.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <set>
#include <string>

#include "net/loop.hpp"
#include "net/tcp_link.hpp"

namespace mycelial::net {

class TcpListener : public std::enable_shared_from_this<TcpListener> {
 public:
  TcpListener(std::shared_ptr<Loop> loop, LinkAcceptor& acceptor);

  /// Before start(), on any thread. Gives the endpoint really bound.
  Result<std::string> open(const std::string& text, const Endpoint& endpoint);
  /// On the loop's thread, as all that follow.
  void start();
  /// Handlers of its links hear on_closed before this returns; no call follows.
  void stop(const Status& reason);

 private:
  void on_accept(const error_code& error, tcp::socket socket);
  void open_link(tcp::socket socket);

  const std::shared_ptr<Loop> loop_;
  LinkAcceptor& acceptor_;
  tcp::acceptor socket_;
  asio::steady_timer timer_;
  std::string bound_;
  std::set<std::shared_ptr<TcpLink>> links_;
  bool stopped_ = false;
};

}  // namespace mycelial::net
