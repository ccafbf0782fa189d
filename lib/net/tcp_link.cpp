// SPDX-License-Identifier: Apache-2.0
#include "net/tcp_link.hpp"

#include <netinet/tcp.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace mycelial::net {
namespace {

using std::chrono::milliseconds;

// Bytes the kernel takes before the link counts as full: what waits there cannot be overtaken.
constexpr int kUnsentInKernel = 128 * 1024;

void tune(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
#ifdef TCP_NOTSENT_LOWAT
  using UnsentLimit = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
  socket.set_option(UnsentLimit(kUnsentInKernel), ignored);
#endif
}

bool would_block(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again ||
         error == asio::error::interrupted;
}

}  // namespace

TcpLink::TcpLink(std::shared_ptr<Loop> loop, tcp::socket socket, Events events)
    : loop_(std::move(loop)),
      socket_(std::move(socket)),
      timer_(loop_->io),
      events_(std::move(events)) {
  error_code error;
  const auto remote = socket_.remote_endpoint(error);
  remote_ = error ? std::string("tcp://unknown") : to_text(remote);
}

void TcpLink::start() {
  tune(socket_);
  started_ = last_heard_ = last_sent_ = Clock::now();
  arm_timer();
  {
    const std::lock_guard lock(mutex_);
    pending_.append(kPreface);
    post_write();
  }
  wait_readable();
}

LinkCaps TcpLink::caps() const noexcept {
  LinkCaps caps;
  caps.message_bytes_max = kMessageBytesMax;
  return caps;
}

void TcpLink::fail(Errc code, const std::string& what) {
  finish(Status(code, remote_ + ": " + what));
}

// ---- receiving ----

bool TcpLink::has_credit() {
  const std::lock_guard lock(mutex_);
  return outstanding_ <= kReceiveCreditMax;
}

bool TcpLink::is_paused() {
  const std::lock_guard lock(mutex_);
  return paused_;
}

void TcpLink::wait_readable() {
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
    self->on_readable(error);
  });
}

void TcpLink::on_readable(const error_code& error) {
  if (phase_ == Phase::finished) return;
  if (error) return fail(Errc::io, "receiving failed: " + error.message());
  error_code read_error;
  const std::size_t got = socket_.read_some(asio::buffer(loop_->scratch), read_error);
  if (read_error == asio::error::eof) return fail(Errc::closed, "closed by the remote");
  if (read_error && !would_block(read_error)) {
    return fail(Errc::io, "receiving failed: " + read_error.message());
  }
  if (got > 0) {
    last_heard_ = Clock::now();
    reader_.feed(std::string_view(loop_->scratch.data(), got));
  }
  process();
}

/// Works off what has been read, then reads on or pauses.
void TcpLink::process() {
  if (phase_ == Phase::preface) {
    const Result<bool> preface = reader_.take_preface();
    if (!preface.ok())
      return fail(preface.status().code(), std::string(preface.status().message()));
    if (!*preface) return wait_readable();
    come_up();
  }
  if (phase_ == Phase::up) deliver();
  if (phase_ != Phase::up) return;
  {
    const std::lock_guard lock(mutex_);
    paused_ = outstanding_ > kReceiveCreditMax;
    if (paused_) return;  // consumed() reads on
  }
  wait_readable();
}

void TcpLink::deliver() {
  std::string_view message;
  while (phase_ == Phase::up && has_credit()) {
    const Result<bool> next = reader_.next(message);
    if (!next.ok()) return fail(next.status().code(), std::string(next.status().message()));
    if (!*next) break;
    {
      const std::lock_guard lock(mutex_);
      outstanding_ += message.size();
      if (closing_) return;  // nothing is told to a handler that has closed, except on_closed
    }
    try {
      handler_->on_message(message);
    } catch (...) {
      return fail(Errc::internal, "the receiver of a message threw an exception");
    }
  }
  reader_.compact();
}

void TcpLink::consumed(std::size_t bytes) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    outstanding_ -= std::min(bytes, outstanding_);
    if (!paused_ || closing_ || resume_posted_ || outstanding_ > kReceiveCreditMax) return;
    asio::post(loop_->io, [self = shared_from_this()] { self->resume(); });
    resume_posted_ = true;
  } catch (...) {  // Out of memory for a task: the next call tries again.
  }
}

void TcpLink::resume() {
  {
    const std::lock_guard lock(mutex_);
    resume_posted_ = paused_ = false;
  }
  last_heard_ = Clock::now();  // silence while we were not listening proves nothing
  if (phase_ == Phase::up) process();
}

void TcpLink::come_up() {
  phase_ = Phase::up;
  try {
    handler_ = events_.on_up(shared_from_this());
  } catch (...) {
    return fail(Errc::internal, "the acceptor of a link threw an exception");
  }
  if (handler_ == nullptr) return fail(Errc::closed, "refused by this side");
  arm_timer();
}

// ---- sending ----

SendOutcome TcpLink::send(std::string_view message) {
  if (message.empty() || message.size() > kMessageBytesMax) {
    const Status reason(Errc::invalid_argument,
                        remote_ + ": a message of " + std::to_string(message.size()) +
                            " bytes was given to send(); 1 to " + std::to_string(kMessageBytesMax) +
                            " are allowed");
    const std::lock_guard lock(mutex_);
    if (!std::exchange(closing_, true)) {
      asio::post(loop_->io, [self = shared_from_this(), reason] { self->finish(reason); });
    }
    return SendOutcome::closed;
  }
  const std::lock_guard lock(mutex_);
  if (closing_) return SendOutcome::closed;
  const std::size_t queued = pending_.size() + in_flight_;
  if (queued > 0 && queued + kFrameHeaderBytes + message.size() > kSendQueueMax) {
    wants_writable_ = true;
    return SendOutcome::would_block;
  }
  pending_.reserve(pending_.size() + kFrameHeaderBytes + message.size());  // all or nothing
  append_frame_header(pending_, message.size());
  pending_.append(message);
  post_write();
  return SendOutcome::accepted;
}

void TcpLink::post_write() {
  if (write_active_) return;
  asio::post(loop_->io, [self = shared_from_this()] { self->write_some(); });
  write_active_ = true;
}

/// Takes up the next bytes to write once the last are out. False: there are none.
bool TcpLink::refill() {
  if (written_ < writing_.size()) return true;
  constexpr std::size_t kKeepBytes = 4096;  // an idle link costs little memory
  if (writing_.capacity() > kKeepBytes) std::string().swap(writing_);
  writing_.clear();
  written_ = 0;
  const std::lock_guard lock(mutex_);
  write_active_ = !pending_.empty();
  writing_.swap(pending_);
  in_flight_ = writing_.size();
  return write_active_;
}

/// Written in the same step as it is counted: the last words of finish() follow what is out.
void TcpLink::write_some() {
  if (phase_ == Phase::finished || !refill()) return;
  error_code error;
  const auto rest = asio::buffer(writing_.data() + written_, writing_.size() - written_);
  const std::size_t bytes = socket_.write_some(rest, error);
  if (error && !would_block(error)) return fail(Errc::io, "sending failed: " + error.message());
  if (bytes > 0) on_written(bytes);
  if (phase_ == Phase::finished || !refill()) return;
  socket_.async_wait(tcp::socket::wait_write,
                     [self = shared_from_this()](const error_code& failed) {
                       if (failed)
                         return self->fail(Errc::io, "sending failed: " + failed.message());
                       self->write_some();
                     });
}

void TcpLink::on_written(std::size_t bytes) {
  written_ += bytes;
  last_sent_ = Clock::now();
  bool writable = false;
  {
    const std::lock_guard lock(mutex_);
    in_flight_ -= bytes;
    writable = wants_writable_ && pending_.size() + in_flight_ <= kSendQueueMax / 2 && !closing_;
    if (writable) wants_writable_ = false;
  }
  if (!writable || handler_ == nullptr || phase_ != Phase::up) return;
  try {
    handler_->on_writable();
  } catch (...) {
    fail(Errc::internal, "the sender on a link threw an exception");
  }
}

// ---- the end ----

void TcpLink::close() noexcept {
  try {
    const Status reason(Errc::closed, remote_ + ": closed by this side");
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    asio::post(loop_->io, [self = shared_from_this(), reason] { self->finish(reason); });
    closing_ = true;
  } catch (...) {  // Out of memory for a task: the next call tries again; stop() closes anyway.
  }
}

/// What was accepted goes out as far as the kernel takes it without waiting.
void TcpLink::flush_rest() {
  error_code error;
  const auto push = [&](std::string_view bytes) {
    while (!bytes.empty() && !error) {
      bytes.remove_prefix(socket_.write_some(asio::buffer(bytes), error));
    }
  };
  push(std::string_view(writing_).substr(written_));
  push(pending_);
  socket_.shutdown(tcp::socket::shutdown_send, error);
}

void TcpLink::finish(const Status& reason) {
  if (phase_ == Phase::finished) return;
  phase_ = Phase::finished;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    flush_rest();
    pending_ = std::string();
  }
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
  const Events events = std::exchange(events_, {});
  LinkHandler* const handler = std::exchange(handler_, nullptr);
  try {
    if (handler != nullptr) handler->on_closed(reason);
  } catch (...) {  // The link is gone either way.
  }
  if (events.on_end) events.on_end(reason);
}

void TcpLink::arm_timer() {
  const TcpOptions& options = loop_->options;
  const auto at = phase_ == Phase::preface
                      ? started_ + milliseconds(options.handshake_ms)
                      : std::min(last_sent_ + milliseconds(options.keep_alive_ms),
                                 last_heard_ + milliseconds(options.dead_after_ms));
  // Never sooner than a millisecond: a paused or blocked link is past its time and must not spin.
  timer_.expires_at(std::max(at, Clock::now() + milliseconds(1)));
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error != asio::error::operation_aborted && self->phase_ != Phase::finished) {
      self->on_timer();
    }
  });
}

void TcpLink::on_timer() {
  const TcpOptions& options = loop_->options;
  const auto now = Clock::now();
  if (phase_ == Phase::preface) {
    if (now - started_ >= milliseconds(options.handshake_ms)) {
      return fail(Errc::canceled,
                  "said no preface within " + std::to_string(options.handshake_ms) + " ms");
    }
    return arm_timer();
  }
  if (is_paused()) {
    last_heard_ = now;
  } else if (now - last_heard_ >= milliseconds(options.dead_after_ms)) {
    return fail(Errc::io, "silent for " + std::to_string(options.dead_after_ms) +
                              " ms; the link counts as dead" +
                              (reader_.empty() ? "" : ", in the middle of a frame"));
  }
  if (now - last_sent_ >= milliseconds(options.keep_alive_ms)) {
    last_sent_ = now;
    const std::lock_guard lock(mutex_);
    if (pending_.empty() && in_flight_ == 0) {
      append_frame_header(pending_, 0);
      post_write();
    }
  }
  arm_timer();
}

}  // namespace mycelial::net
