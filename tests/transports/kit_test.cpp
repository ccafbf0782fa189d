// SPDX-License-Identifier: Apache-2.0
// The kit itself: a transport with a fault must not pass.
#include <gtest/gtest.h>

#include "mycelial/testing/transport_kit.hpp"
#include "mycelial/transports/memory.hpp"

namespace mycelial {
namespace {

enum class Fault { none, cuts, doubles, closes_twice, forgets_scheme };

/// A good link that spoils what passes through it.
class FaultyLink final : public Link {
 public:
  FaultyLink(std::shared_ptr<Link> link, Fault fault) : link_(std::move(link)), fault_(fault) {}
  LinkCaps caps() const noexcept override { return link_->caps(); }
  SendOutcome send(std::string_view message) override {
    if (fault_ == Fault::cuts && message.size() > 10) message.remove_suffix(1);
    const SendOutcome outcome = link_->send(message);
    if (fault_ == Fault::doubles && outcome == SendOutcome::accepted) {
      if (link_->send(message) == SendOutcome::closed) return SendOutcome::closed;
    }
    return outcome;
  }
  void consumed(std::size_t bytes) noexcept override { link_->consumed(bytes); }
  void close() noexcept override { link_->close(); }
  std::string remote() const override { return link_->remote(); }

 private:
  const std::shared_ptr<Link> link_;
  const Fault fault_;
};

class TwiceClosed final : public LinkHandler {
 public:
  explicit TwiceClosed(LinkHandler& to) : to_(to) {}
  void on_message(std::string_view message) override { to_.on_message(message); }
  void on_writable() override { to_.on_writable(); }
  void on_closed(Status reason) override {
    to_.on_closed(reason);
    to_.on_closed(reason);
  }

 private:
  LinkHandler& to_;
};

class FaultyTransport final : public Transport {
 public:
  explicit FaultyTransport(Fault fault) : inner_(make_memory_transport()), fault_(fault) {}
  FaultyTransport(const FaultyTransport&) = delete;
  FaultyTransport& operator=(const FaultyTransport&) = delete;
  ~FaultyTransport() override { inner_->stop(); }
  std::string scheme() const override {
    return fault_ == Fault::forgets_scheme ? "other" : inner_->scheme();
  }
  Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) override {
    return inner_->listen(endpoint, wrap(acceptor));
  }
  Status dial(const std::string& endpoint, LinkAcceptor& acceptor) override {
    return inner_->dial(endpoint, wrap(acceptor));
  }
  void stop() noexcept override { inner_->stop(); }

 private:
  class Acceptor final : public LinkAcceptor {
   public:
    Acceptor(LinkAcceptor& to, Fault fault) : to_(to), fault_(fault) {}
    LinkHandler* on_link(std::shared_ptr<Link> link, bool dialed,
                         const std::string& endpoint) override {
      LinkHandler* const handler =
          to_.on_link(std::make_shared<FaultyLink>(std::move(link), fault_), dialed, endpoint);
      if (fault_ != Fault::closes_twice) return handler;
      handlers_.push_back(std::make_unique<TwiceClosed>(*handler));
      return handlers_.back().get();
    }
    void on_dial_failed(const std::string& endpoint, Status reason) override {
      to_.on_dial_failed(endpoint, std::move(reason));
    }

   private:
    LinkAcceptor& to_;
    const Fault fault_;
    std::vector<std::unique_ptr<LinkHandler>> handlers_;
  };
  LinkAcceptor& wrap(LinkAcceptor& acceptor) {
    acceptors_.push_back(std::make_unique<Acceptor>(acceptor, fault_));
    return *acceptors_.back();
  }

  const std::unique_ptr<Transport> inner_;
  const Fault fault_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
};

std::vector<std::string> check(Fault fault) {
  return testing::check_transport({.make = [=] { return std::make_unique<FaultyTransport>(fault); },
                                   .listen_endpoint = "memory://faulty",
                                   .malformed_endpoint = "memory://",
                                   .patience = std::chrono::milliseconds(2000)});
}

bool mentions(const std::vector<std::string>& violations, std::string_view what) {
  for (const std::string& one : violations) {
    if (one.find(what) != std::string::npos) return true;
  }
  return false;
}

TEST(TransportKit, PassesAFaultlessWrapper) {
  EXPECT_EQ(check(Fault::none), std::vector<std::string>{});
}
TEST(TransportKit, FindsCutMessages) {
  EXPECT_TRUE(mentions(check(Fault::cuts), "a message arrived that was not sent so"));
}
TEST(TransportKit, FindsDoubledMessages) {
  EXPECT_TRUE(mentions(check(Fault::doubles), "not so often"));
}
TEST(TransportKit, FindsASecondOnClosed) {
  EXPECT_TRUE(mentions(check(Fault::closes_twice), "on_closed followed on_closed"));
}
TEST(TransportKit, FindsAWrongScheme) {
  EXPECT_TRUE(mentions(check(Fault::forgets_scheme), "scheme()"));
}

}  // namespace
}  // namespace mycelial
