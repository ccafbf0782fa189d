// SPDX-License-Identifier: Apache-2.0
// Reaching peers, and failing to.
#include <gtest/gtest.h>

#include "mycelial/testing/link_probe.hpp"
#include "mycelial/transports/tcp.hpp"
#include "tests/net/loopback.hpp"

namespace mycelial::net {
namespace {

using testing::LinkProbe;
constexpr std::chrono::milliseconds kPatience{kPatienceMs};

TcpOptions quick() {
  TcpOptions options;
  options.retry_min_ms = 1;
  options.retry_max_ms = 20;
  return options;
}

class TcpDial : public ::testing::Test {
 protected:
  void TearDown() override {
    transport_->stop();
    EXPECT_EQ(probe_.take_violations(), std::vector<std::string>{});
  }
  Status failure(std::size_t index = 0) {
    EXPECT_TRUE(probe_.wait(kPatience, [&] { return probe_.dial_failures().size() > index; }));
    Status out;
    probe_.wait(kPatience, [&] {
      out = probe_.dial_failures()[index].second;
      return true;
    });
    return out;
  }

  LinkProbe probe_;
  std::unique_ptr<Transport> transport_ = make_tcp_transport(quick());
};

TEST_F(TcpDial, NobodyThereIsToldAndTriedAgain) {
  const RawSocket reserved = RawSocket::bound(-1);  // bound, not listening
  ASSERT_TRUE(transport_->dial(reserved.endpoint(), probe_).ok());
  const Status refused = failure();
  EXPECT_EQ(refused.code(), Errc::io);
  EXPECT_TRUE(refused.retryable());
  EXPECT_NE(refused.message().find(reserved.endpoint()), std::string_view::npos);
  (void)failure(3);  // it goes on
  ASSERT_EQ(::listen(reserved.fd(), 5), 0);
  const RawSocket peer = reserved.accept();
  ASSERT_TRUE(peer.ok());
  EXPECT_TRUE(peer.send(kGoodPreface));
  EXPECT_TRUE(probe_.wait_link(kPatience));
}

TEST_F(TcpDial, ALinkThatEndsIsDialedAgain) {
  const RawSocket listener = RawSocket::bound(5);
  ASSERT_TRUE(transport_->dial(listener.endpoint(), probe_).ok());
  for (std::size_t i = 0; i < 5; ++i) {
    RawSocket peer = listener.accept();
    ASSERT_TRUE(peer.ok());
    EXPECT_TRUE(peer.send(kGoodPreface));
    ASSERT_TRUE(probe_.wait_link(kPatience, i));
    peer.close();
    EXPECT_TRUE(probe_.wait_closed(kPatience, i));
  }
}

TEST_F(TcpDial, WhoSpeaksAnotherProtocolIsNamed) {
  const RawSocket listener = RawSocket::bound(5);
  ASSERT_TRUE(transport_->dial(listener.endpoint(), probe_).ok());
  {
    const RawSocket peer = listener.accept();
    EXPECT_TRUE(peer.send("SSH-2.0-OpenSSH_9.2\r\n"));
    const Status status = failure();
    EXPECT_EQ(status.code(), Errc::corrupt);
    EXPECT_NE(status.message().find("does not speak mycelial"), std::string_view::npos);
  }
  const RawSocket peer = listener.accept();
  EXPECT_TRUE(peer.send(std::string_view("MYCEL\r\n\x07", 8)));
  EXPECT_EQ(failure(1).code(), Errc::version);
  EXPECT_EQ(probe_.link_count(), 0u);
}

TEST_F(TcpDial, APeerThatDoesNotAnswerIsGivenUp) {
  TcpOptions options = quick();
  options.handshake_ms = 50;
  transport_ = make_tcp_transport(options);
  const RawSocket listener = RawSocket::bound(5);  // connects, never speaks
  ASSERT_TRUE(transport_->dial(listener.endpoint(), probe_).ok());
  EXPECT_NE(failure().message().find("preface"), std::string_view::npos);
}

TEST_F(TcpDial, ANameWithoutAddressIsNamed) {
  ASSERT_TRUE(transport_->dial("tcp://no-such-host.invalid:1", probe_).ok());
  const Status status = failure();
  EXPECT_EQ(status.code(), Errc::io);
  EXPECT_NE(status.message().find("no-such-host.invalid"), std::string_view::npos);
  EXPECT_EQ(transport_->listen("tcp://no-such-host.invalid:0", probe_).status().code(), Errc::io);
}

TEST_F(TcpDial, NamesAndBothFamiliesMeet) {
  std::vector<std::string> hosts{"127.0.0.1", "localhost"};
  if (have_ipv6()) hosts.emplace_back("[::1]");
  for (const std::string& host : hosts) {
    LinkProbe in, out;
    const auto listener = make_tcp_transport(quick()), dialer = make_tcp_transport(quick());
    const auto bound = listener->listen("tcp://" + host + ":0", in);
    ASSERT_TRUE(bound.ok()) << bound.status().to_string();
    const std::string there = "tcp://" + host + ":" + std::to_string(port_of(*bound));
    ASSERT_TRUE(dialer->dial(there, out).ok());
    const auto link = out.wait_link(kPatience);
    ASSERT_TRUE(link) << there;
    EXPECT_EQ(out.record().endpoint, there);
    EXPECT_TRUE(out.record().dialed);
    EXPECT_EQ(link->send("hello"), SendOutcome::accepted);
    EXPECT_TRUE(in.wait_messages(kPatience, 1));
    dialer->stop();
    listener->stop();
  }
}

TEST_F(TcpDial, APortThatIsTakenIsNamed) {
  const RawSocket owner = RawSocket::bound(5);
  const Status status = transport_->listen(owner.endpoint(), probe_).status();
  EXPECT_EQ(status.code(), Errc::busy);
  EXPECT_NE(status.message().find(owner.endpoint()), std::string_view::npos);
}

TEST_F(TcpDial, ANodeThatComesBackAtOnceGetsItsPortBack) {
  auto first = make_tcp_transport(quick());
  const auto bound = first->listen("tcp://127.0.0.1:0", probe_);
  ASSERT_TRUE(bound.ok());
  const RawSocket peer = RawSocket::connect(*bound);
  EXPECT_TRUE(peer.send(kGoodPreface));
  ASSERT_TRUE(probe_.wait_link(kPatience));
  first->stop();
  EXPECT_TRUE(transport_->listen(*bound, probe_).ok()) << "old connections do not hold it";
}

TEST_F(TcpDial, StopDuringAttemptsReturns) {
  const RawSocket reserved = RawSocket::bound(-1);
  for (int i = 0; i < 20; ++i) {
    const auto transport = make_tcp_transport(quick());
    LinkProbe probe;
    ASSERT_TRUE(transport->dial(reserved.endpoint(), probe).ok());
    ASSERT_TRUE(transport->dial("tcp://no-such-host.invalid:1", probe).ok());
    transport->stop();
    probe.expect_silence();
    EXPECT_EQ(probe.take_violations(), std::vector<std::string>{});
    EXPECT_EQ(transport->dial(reserved.endpoint(), probe).code(), Errc::closed);
  }
}

}  // namespace
}  // namespace mycelial::net
