// SPDX-License-Identifier: Apache-2.0
#include "net/tcp_dialer.hpp"

#include <random>
#include <utility>

namespace mycelial::net {

using std::chrono::milliseconds;

TcpDialer::TcpDialer(std::shared_ptr<Loop> loop, std::string text, Endpoint endpoint,
                     LinkAcceptor& acceptor)
    : loop_(std::move(loop)),
      text_(std::move(text)),
      endpoint_(std::move(endpoint)),
      acceptor_(acceptor),
      backoff_(loop_->options.retry_min_ms, loop_->options.retry_max_ms, std::random_device()()),
      timer_(loop_->io),
      socket_(loop_->io) {}

void TcpDialer::start() {
  attempt();
}

void TcpDialer::attempt() {
  if (stopped_) return;
  // Weak: a slow resolver may answer after the transport has gone.
  resolve_async(loop_, endpoint_, [weak = weak_from_this()](Addresses addresses) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    if (!addresses.ok()) return self->failed(addresses.status());
    self->addresses_ = std::move(addresses).value();
    self->next_address_ = 0;
    self->try_next(Status(Errc::io, self->text_ + ": no address"));
  });
}

/// Tries the addresses one by one; gives up with the failure of the last.
void TcpDialer::try_next(const Status& last_failure) {
  if (next_address_ >= addresses_.size()) return failed(last_failure);
  const tcp::endpoint address = addresses_[next_address_++];
  was_up_ = timed_out_ = false;
  error_code error;
  socket_.close(error);
  socket_.open(address.protocol(), error);
  if (error) return failed(Status(Errc::io, text_ + ": no socket: " + error.message()));
  socket_.async_connect(
      address, [self = shared_from_this()](const error_code& e) { self->on_connected(e); });
  timer_.expires_after(milliseconds(loop_->options.handshake_ms));
  timer_.async_wait([self = shared_from_this()](const error_code& e) {
    if (e || self->stopped_ || self->link_) return;
    self->timed_out_ = true;
    error_code ignored;
    self->socket_.close(ignored);
  });
}

void TcpDialer::on_connected(const error_code& error) {
  if (stopped_) return;
  timer_.cancel();
  const std::string address = to_text(addresses_[next_address_ - 1]);
  if (timed_out_) {
    return try_next(Status(Errc::io, address + ": no answer within " +
                                         std::to_string(loop_->options.handshake_ms) + " ms"));
  }
  if (error) return try_next(Status(Errc::io, address + ": cannot connect: " + error.message()));
  // The system may give a dialing socket the very port it dials, and connect it to itself.
  error_code e1;
  error_code e2;
  if (socket_.local_endpoint(e1) == socket_.remote_endpoint(e2) && !e1 && !e2) {
    socket_.close(e1);
    return try_next(Status(Errc::io, address + ": nobody listens there"));
  }
  open_link();
}

void TcpDialer::open_link() {
  TcpLink::Events events;
  events.on_up = [self = shared_from_this()](std::shared_ptr<Link> link) {
    self->was_up_ = true;
    self->up_since_ = std::chrono::steady_clock::now();
    return self->acceptor_.on_link(std::move(link), true, self->text_);
  };
  events.on_end = [self = shared_from_this()](const Status& reason) { self->on_link_end(reason); };
  link_ = std::make_shared<TcpLink>(loop_, std::move(socket_), std::move(events));
  socket_ = tcp::socket(loop_->io);
  link_->start();
}

void TcpDialer::on_link_end(const Status& reason) {
  link_ = nullptr;
  if (stopped_) return;
  if (!was_up_) return try_next(reason);
  // A peer that takes links only to drop them at once must not be dialed at the fastest rate.
  const auto lived = std::chrono::steady_clock::now() - up_since_;
  if (lived >= milliseconds(loop_->options.retry_max_ms)) backoff_.reset();
  failed(reason);
}

void TcpDialer::failed(const Status& reason) {
  timer_.expires_after(backoff_.next());
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->attempt();
  });
  acceptor_.on_dial_failed(text_, reason);
}

void TcpDialer::stop(const Status& reason) {
  stopped_ = true;
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  if (const auto link = link_) link->finish(reason);
}

}  // namespace mycelial::net
