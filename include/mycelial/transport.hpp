// SPDX-License-Identifier: Apache-2.0
// Transport, Link: the interface that carries mycelial over any network. To support a network of
// your own, implement Transport and Link and hand the transport to Replica::add_transport.
//
// What the engine assumes of a link: a message that arrives, arrives whole and unchanged. Messages
// may be lost, doubled, reordered and delayed without limit; nothing above relies on more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mycelial/status.hpp"

namespace mycelial {

/// A link that takes less is closed at once: some messages would not fit however little they say. A
/// transport over smaller packets cuts and joins messages itself.
inline constexpr std::size_t kMessageBytesMin = 128;

/// Facts about a link that the engine adapts to.
struct LinkCaps {
  /// MTU: the largest message send() takes, at least kMessageBytesMin.
  std::size_t message_bytes_max = 64 * 1024;
  std::uint64_t bytes_per_second = 0;  ///< Expected rate; 0 means unknown and fast.
  std::uint32_t delay_ms = 20;         ///< Expected one-way delay.
  bool group = false;  ///< True: every member of a group hears each message (topic, multicast).
};

enum class SendOutcome : std::uint8_t {
  accepted,     ///< The link took the message (and may still lose it).
  would_block,  ///< Not taken; on_writable follows when it is worth trying again.
  closed,       ///< Not taken; on_closed has been or will be called.
};

/// One open pipe to one peer, or to a group.
/// Threads: the methods may be called from any thread, also from inside a LinkHandler callback.
class Link {
 public:
  virtual ~Link() = default;
  virtual LinkCaps caps() const noexcept = 0;
  /// Queues one message of 1..message_bytes_max bytes. Never blocks. A link keeps only little
  /// queued (a frame, or 500 ms at its rate) and answers would_block beyond that, so that urgent
  /// messages are never stuck behind a long queue.
  virtual SendOutcome send(std::string_view message) = 0;
  /// The receiver is done with this many bytes of messages it was given. A link stops reading from
  /// its network when too many (1 MiB, say) are outstanding; so memory is bounded on both ends.
  virtual void consumed(std::size_t bytes) noexcept = 0;
  /// Idempotent, never blocks; on_closed follows (exactly once).
  virtual void close() noexcept = 0;
  /// Where the other end is, for people: "tcp://10.0.0.7:4100".
  virtual std::string remote() const = 0;
};

/// Told what happens on a link. Calls for one link never overlap and come in order. They must not
/// block. The handler outlives the link's on_closed call.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void on_message(std::string_view message) = 0;  ///< The view dies on return.
  virtual void on_writable() = 0;                         ///< Send again now.
  virtual void on_closed(Status reason) = 0;              ///< Exactly once, the last call.
};

/// Takes new links. Calls come from the transport's own thread(s) or from inside dial/listen.
class LinkAcceptor {
 public:
  virtual ~LinkAcceptor() = default;
  /// A link is up. The acceptor owns it from now on and gives the handler of its events, which
  /// stays valid until on_closed has returned. Deleting the Link is allowed after on_closed.
  virtual LinkHandler* on_link(std::shared_ptr<Link> link, bool dialed,
                               const std::string& endpoint) = 0;
  /// One attempt to reach `endpoint` failed, or an established dialed link ended; the transport
  /// tries again by itself with jittered back-off until stop().
  virtual void on_dial_failed(const std::string& endpoint, Status reason) = 0;
};

/// Brings links up. Threads: all methods from any thread, not from inside callbacks.
class Transport {
 public:
  virtual ~Transport() = default;  ///< Calls stop().
  /// The part of an endpoint before "://"; it chooses the transport.
  virtual std::string scheme() const = 0;
  /// Accepts links at the endpoint. Gives the endpoint really bound (a port asked as 0 is filled
  /// in). Errors: invalid_argument (endpoint malformed), busy (address in use), io.
  virtual Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) = 0;
  /// Keeps one link to the endpoint up until stop(): reconnects by itself. Errors only for a
  /// malformed endpoint; an unreachable one is reported to on_dial_failed and retried.
  virtual Status dial(const std::string& endpoint, LinkAcceptor& acceptor) = 0;
  /// Closes everything. When it returns, no callback runs or will ever run. Idempotent.
  virtual void stop() noexcept = 0;
};

}  // namespace mycelial
