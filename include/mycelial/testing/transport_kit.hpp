// SPDX-License-Identifier: Apache-2.0
// check_transport: does a transport keep the rules of transport.hpp? For authors of transports, to
// be run under any test framework; header only. Unstable until 1.0.
//
//   EXPECT_EQ(check_transport({.make = make_my_transport, .listen_endpoint = "my://x"}),
//             std::vector<std::string>{});
//
// Written for paired links that reach their peer within `patience`. Messages may arrive in any
// order; a transport that may lose them sets `reliable` to false.
#pragma once

#include <set>
#include <thread>

#include "mycelial/testing/link_probe.hpp"

namespace mycelial::testing {

struct TransportUnderTest {
  std::function<std::unique_ptr<Transport>()> make;
  /// Where to listen; after stop() it must be free to be listened at again.
  std::string listen_endpoint;
  std::string malformed_endpoint = {};  ///< Empty: the scheme followed by "://" and nothing else.
  bool reliable = true;                 ///< Whatever was accepted arrives while the link is up.
  std::size_t unconsumed_bytes_max = 1024 * 1024;  ///< Then, at the next message, reading stops.
  std::chrono::milliseconds patience{20000};       ///< After which a thing counts as not happening.
};

namespace detail {

/// Two transports and one link between them.
struct Wire {
  std::unique_ptr<Transport> listening;
  std::unique_ptr<Transport> dialing;
  LinkProbe accepted;
  LinkProbe dialed;
  std::shared_ptr<Link> far;   // of the listening side
  std::shared_ptr<Link> near;  // of the dialing side
  std::string endpoint;
  ~Wire() {
    if (dialing) dialing->stop();
    if (listening) listening->stop();
  }
  explicit Wire(bool far_consumes = true) : accepted(far_consumes) {}
};

/// Bytes that differ between messages and within one.
inline std::string numbered_message(std::size_t number, std::size_t bytes) {
  std::string out(bytes, '\0');
  std::uint64_t state = number * 0x9e3779b97f4a7c15u + 1;
  for (char& c : out) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(state >> 56);
  }
  return out;
}

class TransportKit {
 public:
  explicit TransportKit(TransportUnderTest subject) : subject_(std::move(subject)) {}

  std::vector<std::string> run() {
    rule("endpoints", &TransportKit::endpoints);
    rule("exchange", &TransportKit::exchange);
    rule("sizes", &TransportKit::sizes);
    rule("oversize", &TransportKit::oversize);
    rule("flow control", &TransportKit::flow_control);
    rule("credit", &TransportKit::credit);
    rule("close", &TransportKit::close_once);
    rule("close inside a callback", &TransportKit::close_inside);
    rule("dial before listen", &TransportKit::dial_before_listen);
    rule("duplicate listen", &TransportKit::duplicate_listen);
    rule("stop while busy", &TransportKit::stop_while_busy);
    rule("restart", &TransportKit::restart);
    rule("after stop", &TransportKit::after_stop);
    return std::move(violations_);
  }

 private:
  void rule(const char* name, void (TransportKit::*check)()) {
    rule_ = name;
    (this->*check)();
  }
  bool expect(bool holds, const std::string& what) {
    if (!holds) violations_.push_back(std::string(rule_) + ": " + what);
    return holds;
  }
  void expect_clean(LinkProbe& probe) {
    for (const std::string& what : probe.take_violations()) expect(false, what);
  }

  /// Listens; a place that a moment ago was another's may need a moment to be free.
  bool listen(Transport& transport, const std::string& at, LinkAcceptor& acceptor,
              std::string& bound) {
    const auto deadline = std::chrono::steady_clock::now() + subject_.patience;
    for (;;) {
      const Result<std::string> result = transport.listen(at, acceptor);
      if (result.ok()) {
        bound = *result;
        return true;
      }
      if (!result.status().retryable() || std::chrono::steady_clock::now() > deadline) {
        return expect(false, "listen(" + at + ") failed: " + result.status().to_string());
      }
      std::this_thread::yield();
    }
  }
  bool connect(Wire& wire) {
    wire.listening = subject_.make();
    wire.dialing = subject_.make();
    if (!listen(*wire.listening, subject_.listen_endpoint, wire.accepted, wire.endpoint)) {
      return false;
    }
    const Status dialed = wire.dialing->dial(wire.endpoint, wire.dialed);
    if (!expect(dialed.ok(), "dial failed: " + dialed.to_string())) return false;
    wire.near = wire.dialed.wait_link(subject_.patience);
    wire.far = wire.accepted.wait_link(subject_.patience);
    return expect(wire.near && wire.far, "no link came up at " + wire.endpoint);
  }
  /// Sends, waiting for room when there is none. False: closed, or never any room.
  bool send(LinkProbe& probe, Link& link, std::string_view message) {
    for (;;) {
      const int writable = probe.record().writable;
      const SendOutcome outcome = link.send(message);
      if (outcome == SendOutcome::accepted) return true;
      if (outcome == SendOutcome::closed) return false;
      if (!probe.wait(subject_.patience, [&] {
            return probe.records()[0].writable > writable || probe.records()[0].closed > 0;
          })) {
        return expect(false, "no on_writable followed would_block");
      }
    }
  }
  void expect_messages(LinkProbe& probe, const std::multiset<std::string>& sent) {
    if (subject_.reliable) {
      expect(probe.wait_messages(subject_.patience, sent.size()), "messages were lost");
    }
    std::multiset<std::string> left = sent;
    for (const std::string& message : probe.record().messages) {
      const auto found = left.find(message);
      if (!expect(found != left.end(), "a message arrived that was not sent so, or not so often")) {
        return;
      }
      left.erase(found);
    }
  }

  void endpoints() {
    LinkProbe probe;
    const auto transport = subject_.make();
    const std::string bad = subject_.malformed_endpoint.empty() ? transport->scheme() + "://"
                                                                : subject_.malformed_endpoint;
    expect(transport->listen(bad, probe).status().code() == Errc::invalid_argument,
           "listen(" + bad + ") is not invalid_argument");
    expect(transport->dial(bad, probe).code() == Errc::invalid_argument,
           "dial(" + bad + ") is not invalid_argument");
    expect(transport->dial("no-such-scheme://x:1", probe).code() == Errc::invalid_argument,
           "dial of another scheme is not invalid_argument");
    expect(subject_.listen_endpoint.rfind(transport->scheme() + "://", 0) == 0,
           "scheme() is not how the endpoint begins");
    transport->stop();
    transport->stop();
    expect_clean(probe);
  }

  void exchange() {
    Wire wire;
    if (!connect(wire)) return;
    expect(wire.dialed.record().dialed && !wire.accepted.record().dialed,
           "on_link does not tell who dialed");
    expect(wire.dialed.record().endpoint == wire.endpoint,
           "on_link does not name the endpoint that was dialed");
    expect(!wire.near->remote().empty() && !wire.far->remote().empty(), "remote() is empty");
    const LinkCaps caps = wire.near->caps();
    expect(caps.message_bytes_max >= kMessageBytesMin,
           "message_bytes_max is below " + std::to_string(kMessageBytesMin));
    std::multiset<std::string> there;
    std::multiset<std::string> back;
    for (std::size_t i = 0; i < 200; ++i) {
      there.insert(numbered_message(i, 1 + i % caps.message_bytes_max));
      back.insert(numbered_message(1000 + i, 1 + i % 50));
    }
    std::thread other([&] {
      for (const auto& m : back) send(wire.accepted, *wire.far, m);
    });
    for (const auto& m : there) send(wire.dialed, *wire.near, m);
    other.join();
    expect_messages(wire.accepted, there);
    expect_messages(wire.dialed, back);
    expect_clean(wire.accepted);
    expect_clean(wire.dialed);
  }

  void sizes() {
    Wire wire;
    if (!connect(wire)) return;
    const std::size_t most = wire.near->caps().message_bytes_max;
    std::multiset<std::string> sent;
    for (const std::size_t bytes : {most, std::size_t{1}, most - 1, std::size_t{2}, most}) {
      const std::string message = numbered_message(bytes, bytes);
      sent.insert(message);
      expect(send(wire.dialed, *wire.near, message),
             "a message of " + std::to_string(bytes) + " bytes was refused");
    }
    sent.insert(std::string(64, '\0'));
    send(wire.dialed, *wire.near, std::string(64, '\0'));
    expect_messages(wire.accepted, sent);
    expect_clean(wire.accepted);
  }

  void oversize() {
    Wire wire;
    if (!connect(wire)) return;
    const std::size_t most = wire.near->caps().message_bytes_max;
    const SendOutcome outcome = wire.near->send(std::string(most + 1, 'x'));
    expect(outcome != SendOutcome::accepted, "a message above message_bytes_max was accepted");
    if (outcome == SendOutcome::closed) {
      expect(wire.dialed.wait_closed(subject_.patience), "send() said closed, no on_closed came");
    }
    for (const std::string& message : wire.accepted.record().messages) {
      expect(message.size() <= most, "a message above message_bytes_max arrived");
    }
  }

  void flow_control() {
    Wire wire;
    if (!connect(wire)) return;
    const std::size_t bytes = std::min<std::size_t>(wire.near->caps().message_bytes_max, 16384);
    const std::size_t count = (8u << 20) / bytes;
    std::multiset<std::string> sent;
    for (std::size_t i = 0; i < count; ++i) {
      std::string message = numbered_message(i, bytes);
      if (!expect(send(wire.dialed, *wire.near, message), "a link closed under load")) return;
      sent.insert(std::move(message));
    }
    expect_messages(wire.accepted, sent);
    expect_clean(wire.accepted);
    expect_clean(wire.dialed);
  }

  void credit() {
    Wire wire(false);
    if (!connect(wire)) return;
    const std::size_t most = wire.near->caps().message_bytes_max;
    const std::string message = numbered_message(7, std::min<std::size_t>(most, 16384));
    constexpr std::size_t kSendMax = 64u << 20;
    std::size_t sent = 0;
    // Sends until it is blocked for good: no room although the receiver has had time to take some.
    for (bool room = true; room && sent < kSendMax;) {
      const int writable = wire.dialed.record().writable;
      if (wire.near->send(message) == SendOutcome::accepted) {
        sent += message.size();
        continue;
      }
      room = wire.dialed.wait(std::chrono::milliseconds(300),
                              [&] { return wire.dialed.records()[0].writable > writable; });
    }
    expect(sent < kSendMax, "64 MiB were accepted although the receiver consumed nothing");
    expect(wire.accepted.record().bytes <= subject_.unconsumed_bytes_max + most,
           "more was delivered than may be outstanding");
    wire.accepted.consume_from_now_on();
    if (subject_.reliable) {
      expect(wire.accepted.wait(subject_.patience,
                                [&] { return wire.accepted.records()[0].bytes >= sent; }),
             "delivery did not go on after consumed()");
    }
    expect_clean(wire.accepted);
  }

  void expect_closed_once(LinkProbe& probe, const char* side) {
    expect(probe.wait_closed(subject_.patience), std::string("no on_closed on the ") + side);
    expect(probe.record().closed == 1, std::string("on_closed not exactly once on the ") + side);
    expect(!probe.record().reason.ok(), std::string("on_closed with status ok on the ") + side);
  }

  void close_once() {
    for (const bool by_dialer : {true, false}) {
      Wire wire;
      if (!connect(wire)) return;
      const std::shared_ptr<Link> closer = by_dialer ? wire.near : wire.far;
      std::thread other([&] { closer->close(); });
      closer->close();
      other.join();
      closer->close();
      expect(closer->send("x") == SendOutcome::closed, "send() after close() is not closed");
      expect_closed_once(wire.dialed, "dialing side");
      expect_closed_once(wire.accepted, "listening side");
      expect(wire.dialed.wait_link(subject_.patience, 1) != nullptr,
             "a dialed link that was closed is not dialed again");
      expect(
          wire.dialed.wait(subject_.patience, [&] { return !wire.dialed.dial_failures().empty(); }),
          "the end of a dialed link was not told to on_dial_failed");
      expect_clean(wire.accepted);
      expect_clean(wire.dialed);
    }
  }

  void close_inside() {
    Wire wire;
    if (!connect(wire)) return;
    wire.accepted.set_on_message([&](std::size_t index, std::string_view message) {
      if (message == "close") wire.accepted.record(index).link->close();
    });
    // A lossy link may need several attempts.
    while (wire.near->send("close") == SendOutcome::accepted &&
           !wire.accepted.wait_closed(std::chrono::milliseconds(subject_.reliable ? 20000 : 50))) {
    }
    expect_closed_once(wire.accepted, "side that closed");
    expect_closed_once(wire.dialed, "other side");
    expect_clean(wire.accepted);
  }

  /// An endpoint that can be listened at and where nobody does.
  bool free_endpoint(std::string& endpoint) {
    LinkProbe probe;
    const auto transport = subject_.make();
    return listen(*transport, subject_.listen_endpoint, probe, endpoint);
  }

  void dial_before_listen() {
    Wire wire;
    if (!free_endpoint(wire.endpoint)) return;
    wire.dialing = subject_.make();
    expect(wire.dialing->dial(wire.endpoint, wire.dialed).ok(),
           "dial() of an endpoint where nobody listens yet is an error");
    expect(wire.dialed.wait(subject_.patience,
                            [&] { return wire.dialed.dial_failures().size() >= 2; }),
           "failed attempts are not told to on_dial_failed, or not repeated");
    expect(wire.dialed.link_count() == 0, "a link came up where nobody listens");
    wire.listening = subject_.make();
    std::string bound;
    if (!listen(*wire.listening, wire.endpoint, wire.accepted, bound)) return;
    expect(wire.dialed.wait_link(subject_.patience) != nullptr,
           "a dial that began before the listen never came through");
    expect_clean(wire.dialed);
  }

  void duplicate_listen() {
    LinkProbe probe;
    const auto first = subject_.make();
    const auto second = subject_.make();
    std::string bound;
    if (!listen(*first, subject_.listen_endpoint, probe, bound)) return;
    const Result<std::string> again = second->listen(bound, probe);
    expect(!again.ok() && again.status().code() == Errc::busy,
           "listening where another listens is not busy");
    const Result<std::string> own = first->listen(bound, probe);
    expect(!own.ok() && own.status().code() == Errc::busy, "listening twice is not busy");
    expect(again.status().message().find(bound) != std::string_view::npos,
           "the message does not name the endpoint");
  }

  void stop_while_busy() {
    for (const bool stop_dialer : {true, false}) {
      Wire wire;
      if (!connect(wire)) return;
      const std::string message = numbered_message(3, 1000);
      std::atomic<bool> done{false};
      const auto flood = [&](Link& link) {
        while (!done) {
          if (link.send(message) == SendOutcome::would_block) std::this_thread::yield();
        }
      };
      std::thread a([&] { flood(*wire.near); });
      std::thread b([&] { flood(*wire.far); });
      expect(wire.accepted.wait_messages(subject_.patience, 100), "no traffic");
      Transport& stopped = stop_dialer ? *wire.dialing : *wire.listening;
      LinkProbe& silent = stop_dialer ? wire.dialed : wire.accepted;
      LinkProbe& other = stop_dialer ? wire.accepted : wire.dialed;
      stopped.stop();
      silent.expect_silence();
      expect(silent.record().closed == 1, "stop() returned before on_closed, or told it twice");
      expect(other.wait_closed(subject_.patience), "the other side never noticed the stop");
      done = true;
      a.join();
      b.join();
      stopped.stop();
      expect(other.record().closed == 1, "the other side heard on_closed more than once");
      expect_clean(silent);
      expect_clean(other);
    }
  }

  void restart() {
    Wire wire;
    if (!connect(wire)) return;
    wire.listening->stop();
    expect(wire.dialed.wait_closed(subject_.patience), "the end of the listener went unnoticed");
    wire.listening = subject_.make();
    LinkProbe reborn;
    std::string bound;
    if (listen(*wire.listening, wire.endpoint, reborn, bound)) {
      const auto link = wire.dialed.wait_link(subject_.patience, 1);
      if (expect(link != nullptr, "no link after the listener came back") && subject_.reliable) {
        expect(link->send("again") == SendOutcome::accepted, "the new link takes no message");
        expect(reborn.wait_messages(subject_.patience, 1), "the new link carries no message");
      }
    }
    expect_clean(wire.dialed);
    wire.listening->stop();  // before `reborn` goes
  }

  void after_stop() {
    Wire wire;
    if (!connect(wire)) return;
    wire.dialing->stop();
    expect(!wire.dialing->dial(wire.endpoint, wire.dialed).ok(), "dial() works after stop()");
    expect(!wire.dialing->listen(subject_.listen_endpoint, wire.dialed).ok(),
           "listen() works after stop()");
    wire.dialing.reset();
    expect(wire.near->send("x") == SendOutcome::closed, "send() after stop() is not closed");
    wire.near->consumed(1);
    wire.near->close();
    expect(wire.dialed.record().closed == 1, "stop() returned before on_closed, or told it twice");
  }

  const TransportUnderTest subject_;
  const char* rule_ = "";
  std::vector<std::string> violations_;
};

}  // namespace detail

/// Runs every rule and gives those that are violated, in words; empty when the transport is right.
/// Blocks: for seconds, each thing that never happens for `patience`.
inline std::vector<std::string> check_transport(TransportUnderTest subject) {
  return detail::TransportKit(std::move(subject)).run();
}

}  // namespace mycelial::testing
