// SPDX-License-Identifier: Apache-2.0
// TCP links whose other end does not keep to the protocol, or falls silent.
#include <gtest/gtest.h>

#include "mycelial/testing/link_probe.hpp"
#include "mycelial/transports/tcp.hpp"
#include "net/frame_reader.hpp"
#include "tests/net/loopback.hpp"

namespace mycelial::net {
namespace {

using testing::LinkProbe;
constexpr std::chrono::milliseconds kPatience{kPatienceMs};
const std::string kKeepAlive(4, '\0');

/// Waits for nobody: what takes seconds elsewhere takes milliseconds here.
TcpOptions quick() {
  TcpOptions options;
  options.keep_alive_ms = 20;
  options.dead_after_ms = 200;
  options.handshake_ms = 100;
  options.retry_min_ms = 1;
  options.retry_max_ms = 20;
  return options;
}

class TcpPeer : public ::testing::Test {
 protected:
  void listen(const TcpOptions& options) {
    transport_ = make_tcp_transport(options);
    const auto bound = transport_->listen("tcp://127.0.0.1:0", probe_);
    ASSERT_TRUE(bound.ok()) << bound.status().to_string();
    endpoint_ = *bound;
  }
  /// A link whose other end is ours to spoil.
  RawSocket meet(const TcpOptions& options) {
    listen(options);
    RawSocket peer = RawSocket::connect(endpoint_);
    EXPECT_TRUE(peer.send(kGoodPreface));
    EXPECT_EQ(peer.receive(kGoodPreface.size()), kGoodPreface);
    EXPECT_TRUE(probe_.wait_link(kPatience));
    return peer;
  }
  void TearDown() override {
    if (transport_) transport_->stop();
    EXPECT_EQ(probe_.take_violations(), std::vector<std::string>{});
  }

  LinkProbe probe_;
  std::unique_ptr<Transport> transport_;
  std::string endpoint_;
};

TEST_F(TcpPeer, WhoSaysNothingIsShownOut) {
  listen(quick());
  const RawSocket silent = RawSocket::connect(endpoint_), slow = RawSocket::connect(endpoint_);
  EXPECT_TRUE(slow.send(kGoodPreface.substr(0, 3)));
  EXPECT_TRUE(silent.wait_end());
  EXPECT_TRUE(slow.wait_end());
  EXPECT_EQ(probe_.link_count(), 0u);
}

TEST_F(TcpPeer, WhoSpeaksAnotherProtocolIsShownOut) {
  listen(TcpOptions());
  for (const std::string_view noise :
       {std::string_view("GET / HTTP/1.1\r\n\r\n"), std::string_view("MYCEL\n\n\x01"),
        std::string_view("MYCEL\r\n\x02", 8), std::string_view("\x16\x03\x01\x02\x00", 5)}) {
    const RawSocket peer = RawSocket::connect(endpoint_);
    EXPECT_TRUE(peer.send(noise));
    EXPECT_TRUE(peer.wait_end()) << noise;
  }
  EXPECT_EQ(probe_.link_count(), 0u);
}

TEST_F(TcpPeer, AnOversizedFrameEndsTheLinkBeforeItComes) {
  const RawSocket peer = meet(TcpOptions());
  EXPECT_TRUE(peer.send(frame("good") + std::string("\x7f\xff\xff\xff", 4)));
  ASSERT_TRUE(probe_.wait_closed(kPatience));
  EXPECT_EQ(probe_.record().messages, std::vector<std::string>{"good"});
  EXPECT_EQ(probe_.record().reason.code(), Errc::corrupt);
  EXPECT_NE(probe_.record().reason.message().find("2147483647"), std::string_view::npos);
}

TEST_F(TcpPeer, ATruncatedFrameIsNoMessage) {
  RawSocket peer = meet(TcpOptions());
  EXPECT_TRUE(peer.send(frame("whole") + frame("truncated").substr(0, 8)));
  ASSERT_TRUE(probe_.wait_messages(kPatience, 1));
  peer.close();
  ASSERT_TRUE(probe_.wait_closed(kPatience));
  EXPECT_EQ(probe_.record().messages, std::vector<std::string>{"whole"});
}

TEST_F(TcpPeer, SilenceIsBrokenByKeepAlives) {
  const RawSocket peer = meet(quick());
  EXPECT_EQ(peer.receive(kKeepAlive.size() * 3), kKeepAlive + kKeepAlive + kKeepAlive);
}

TEST_F(TcpPeer, KeepAlivesKeepALinkAlive) {
  const RawSocket peer = meet(quick());
  for (int i = 0; i < 30; ++i) {  // far beyond dead_after_ms: each waits for one of theirs
    EXPECT_TRUE(peer.send(kKeepAlive));
    EXPECT_EQ(peer.receive(kKeepAlive.size()), kKeepAlive);
  }
  EXPECT_EQ(probe_.record().closed, 0);
  EXPECT_EQ(probe_.record().messages.size(), 0u) << "a keep-alive is no message";
}

TEST_F(TcpPeer, AHalfOpenLinkIsFound) {
  const RawSocket peer = meet(quick());  // takes what comes, says nothing
  ASSERT_TRUE(probe_.wait_closed(kPatience));
  EXPECT_EQ(probe_.record().reason.code(), Errc::io);
  EXPECT_NE(probe_.record().reason.message().find("silent"), std::string_view::npos);
}

TEST_F(TcpPeer, AHalfOpenLinkIsFoundInTheMiddleOfAFrame) {
  const RawSocket peer = meet(quick());
  EXPECT_TRUE(peer.send(frame("never ends").substr(0, 6)));
  ASSERT_TRUE(probe_.wait_closed(kPatience));
  EXPECT_NE(probe_.record().reason.message().find("middle of a frame"), std::string_view::npos);
}

TEST_F(TcpPeer, LinksAreLimited) {
  TcpOptions options;
  options.links_max = 2;
  RawSocket first = meet(options);
  const RawSocket second = RawSocket::connect(endpoint_);
  EXPECT_EQ(second.receive(kGoodPreface.size()), kGoodPreface);
  const RawSocket third = RawSocket::connect(endpoint_);
  EXPECT_TRUE(third.wait_end());
  first.close();
  ASSERT_TRUE(probe_.wait_closed(kPatience));
  const RawSocket fourth = RawSocket::connect(endpoint_);
  EXPECT_EQ(fourth.receive(kGoodPreface.size()), kGoodPreface);
}

}  // namespace
}  // namespace mycelial::net
