// SPDX-License-Identifier: Apache-2.0
#include "net/tcp_listener.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <utility>

#include "net/resolver.hpp"

namespace mycelial::net {
namespace {

// After a failed accept, of which "no file descriptors left" stays true for a while.
constexpr std::chrono::milliseconds kAcceptPause{100};

error_code bind_and_listen(tcp::acceptor& socket, const tcp::endpoint& at) {
  error_code error;
  socket.close(error);
  socket.open(at.protocol(), error);
  if (error) return error;
  socket.set_option(tcp::acceptor::reuse_address(true), error);
  if (error) return error;
  if (at.address().is_v6() && at.address().is_unspecified()) {
    error_code ignored;  // [::] stands for IPv4, too, where the system can do that
    socket.set_option(asio::ip::v6_only(false), ignored);
  }
  socket.bind(at, error);
  if (error) return error;
  socket.listen(tcp::acceptor::max_listen_connections, error);
  return error;
}

Status explain(const std::string& text, const error_code& error) {
  if (error == asio::error::address_in_use) {
    return Status(Errc::busy, text +
                                  ": the port is taken by another socket; stop its owner or "
                                  "choose another port (0 asks for a free one)");
  }
  if (error == asio::error::access_denied) {
    return Status(Errc::io, text +
                                ": not permitted; ports below 1024 need a privilege, choose a "
                                "higher one");
  }
  return Status(Errc::io, text + ": cannot listen: " + error.message());
}

}  // namespace

TcpListener::TcpListener(std::shared_ptr<Loop> loop, LinkAcceptor& acceptor)
    : loop_(std::move(loop)), acceptor_(acceptor), socket_(loop_->io), timer_(loop_->io) {}

Result<std::string> TcpListener::open(const std::string& text, const Endpoint& endpoint) {
  const Addresses addresses = resolve(endpoint);
  if (!addresses.ok()) return addresses.status();
  error_code error;
  for (const tcp::endpoint& at : *addresses) {
    error = bind_and_listen(socket_, at);
    if (!error) break;
  }
  if (error) return explain(text, error);
  const tcp::endpoint local = socket_.local_endpoint(error);
  if (error) return explain(text, error);
  bound_ = to_text(local);
  return bound_;
}

void TcpListener::start() {
  if (stopped_) return;
  socket_.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
    self->on_accept(error, std::move(socket));
  });
}

void TcpListener::on_accept(const error_code& error, tcp::socket socket) {
  if (stopped_) return;
  if (!error) {
    // Beyond the limit the connection is dropped here, which closes it.
    if (loop_->accepted < loop_->options.links_max) open_link(std::move(socket));
    return start();
  }
  if (error == asio::error::connection_aborted) return start();
  timer_.expires_after(kAcceptPause);
  timer_.async_wait([self = shared_from_this()](const error_code& e) {
    if (!e) self->start();
  });
}

void TcpListener::open_link(tcp::socket socket) {
  ++loop_->accepted;
  const auto slot = std::make_shared<std::weak_ptr<TcpLink>>();
  TcpLink::Events events;
  events.on_up = [self = shared_from_this()](std::shared_ptr<Link> link) {
    return self->acceptor_.on_link(std::move(link), false, self->bound_);
  };
  events.on_end = [self = shared_from_this(), slot](const Status&) {
    --self->loop_->accepted;
    self->links_.erase(slot->lock());
  };
  const auto link = std::make_shared<TcpLink>(loop_, std::move(socket), std::move(events));
  *slot = link;
  links_.insert(link);
  link->start();
}

void TcpListener::stop(const Status& reason) {
  stopped_ = true;
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  while (!links_.empty()) {
    const auto link = *links_.begin();
    link->finish(reason);
    links_.erase(link);
  }
}

}  // namespace mycelial::net
