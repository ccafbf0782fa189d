// SPDX-License-Identifier: Apache-2.0
// How much a TCP link holds, and how it ends.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "mycelial/testing/link_probe.hpp"
#include "mycelial/transports/tcp.hpp"
#include "net/tcp_link.hpp"
#include "tests/net/loopback.hpp"

namespace mycelial::net {
namespace {

using testing::LinkProbe;
constexpr std::chrono::milliseconds kPatience{kPatienceMs};

class TcpFlow : public ::testing::Test {
 protected:
  explicit TcpFlow(bool consume = true) : probe_(consume) {
    const auto bound = transport_->listen("tcp://127.0.0.1:0", probe_);
    EXPECT_TRUE(bound.ok()) << bound.status().to_string();
    peer_ = RawSocket::connect(*bound);
    EXPECT_TRUE(peer_.send(kGoodPreface));
    EXPECT_EQ(peer_.receive(kGoodPreface.size()), kGoodPreface);
    link_ = probe_.wait_link(kPatience);
    EXPECT_TRUE(link_);
  }
  void TearDown() override {
    transport_->stop();
    EXPECT_EQ(probe_.take_violations(), std::vector<std::string>{});
  }
  /// Sends until the link takes no more. Gives the bytes that it took.
  std::size_t fill() {
    const std::string message(64 * 1024, 'm');
    std::size_t taken = 0;
    while (link_->send(message) == SendOutcome::accepted) taken += message.size();
    return taken;
  }

  LinkProbe probe_;
  std::unique_ptr<Transport> transport_ = make_tcp_transport();
  RawSocket peer_;
  std::shared_ptr<Link> link_;
};

TEST_F(TcpFlow, ASlowReaderFillsLittleMemory) {
  // The kernel takes some megabytes; then the link's own queue fills, and it says so.
  std::size_t taken = fill();
  EXPECT_GT(taken, 0u);
  for (int i = 0; i < 20; ++i) {  // room that appears in the kernel is used up
    const bool again = probe_.wait(std::chrono::milliseconds(20),
                                   [&, i] { return probe_.records()[0].writable > i; });
    if (!again) break;
    taken += fill();
  }
  EXPECT_LT(taken, 64u << 20);
  const int before = probe_.record().writable;
  const std::size_t frames = taken / (64 * 1024) * 4 + taken;
  EXPECT_EQ(peer_.receive(frames).size(), frames) << "nothing of what was taken is lost";
  EXPECT_TRUE(probe_.wait(kPatience, [&] { return probe_.records()[0].writable > before; }));
  EXPECT_EQ(link_->send("again"), SendOutcome::accepted);
  EXPECT_EQ(peer_.receive(9), frame("again"));
}

TEST_F(TcpFlow, CloseDoesNotWaitForASlowReader) {
  fill();
  link_->close();
  link_->close();
  EXPECT_TRUE(probe_.wait_closed(kPatience));
  EXPECT_EQ(link_->send("late"), SendOutcome::closed);
}

TEST_F(TcpFlow, StopDoesNotWaitForASlowReader) {
  fill();
  transport_->stop();
  EXPECT_EQ(probe_.record().closed, 1);
  EXPECT_EQ(link_->send("late"), SendOutcome::closed);
}

TEST_F(TcpFlow, LastWordsArrive) {
  std::string wanted;
  for (int i = 0; i < 100; ++i) {
    const std::string word = "word " + std::to_string(i);
    ASSERT_EQ(link_->send(word), SendOutcome::accepted);
    wanted += frame(word);
  }
  link_->close();
  EXPECT_EQ(peer_.receive(wanted.size()), wanted);
  EXPECT_TRUE(peer_.wait_end());
}

TEST_F(TcpFlow, LastWordsOfAHandlerArriveOnce) {
  probe_.set_on_message([this](std::size_t, std::string_view) {
    EXPECT_EQ(link_->send("bye"), SendOutcome::accepted);
    link_->close();
  });
  ASSERT_TRUE(peer_.send(frame("go")));
  EXPECT_EQ(peer_.receive(2 * frame("bye").size()), frame("bye"));
}

TEST_F(TcpFlow, LastWordsArriveThoughThePeerGoesOnTalking) {
  // What nobody will read makes the kernel reset a connection, last words and all.
  ASSERT_TRUE(peer_.send(frame(std::string(200'000, 'x'))));
  ASSERT_EQ(link_->send("why"), SendOutcome::accepted);
  link_->close();
  EXPECT_EQ(peer_.receive(7), frame("why"));
}

TEST_F(TcpFlow, AMessageBeyondTheLimitEndsTheLink) {
  EXPECT_EQ(link_->send(std::string(link_->caps().message_bytes_max, 'x')), SendOutcome::accepted);
  EXPECT_EQ(link_->send(std::string(link_->caps().message_bytes_max + 1, 'x')),
            SendOutcome::closed);
  ASSERT_TRUE(probe_.wait_closed(kPatience));
  EXPECT_EQ(probe_.record().reason.code(), Errc::invalid_argument);
}

class TcpCredit : public TcpFlow {
 protected:
  TcpCredit() : TcpFlow(false) {}
};

TEST_F(TcpCredit, AReceiverThatIsBehindIsNotFlooded) {
  const std::string message = frame(std::string(100'000, 'x'));
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += message;
  std::string_view left = stream;
  const auto push = [&] {
    const ssize_t n = ::send(peer_.fd(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
    return n > 0;
  };
  const auto more = [&](std::size_t than) {
    return probe_.wait(std::chrono::milliseconds(50),
                       [&] { return probe_.records()[0].bytes > than; });
  };
  for (std::size_t got = 0; push() || more(got);) got = probe_.record().bytes;
  EXPECT_LE(probe_.record().outstanding, kReceiveCreditMax + 100'000);
  EXPECT_GE(probe_.record().outstanding, kReceiveCreditMax);
  probe_.consume_from_now_on();
  while (!left.empty()) {
    if (!push()) more(probe_.record().bytes);
  }
  EXPECT_TRUE(probe_.wait_messages(kPatience, 100));
}

}  // namespace
}  // namespace mycelial::net
