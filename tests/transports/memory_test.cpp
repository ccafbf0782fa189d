// SPDX-License-Identifier: Apache-2.0
#include "mycelial/transports/memory.hpp"

#include <gtest/gtest.h>

#include "mycelial/testing/link_probe.hpp"

namespace mycelial {
namespace {

using testing::LinkProbe;
constexpr std::chrono::milliseconds kPatience{20000};

TEST(Memory, OneTransportTalksToItself) {
  LinkProbe in;
  LinkProbe out;
  const auto transport = make_memory_transport();
  ASSERT_TRUE(transport->listen("memory://self", in).ok());
  ASSERT_TRUE(transport->dial("memory://self", out).ok());
  const auto link = out.wait_link(kPatience);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->send("hello"), SendOutcome::accepted);
  ASSERT_TRUE(in.wait_messages(kPatience, 1));
  EXPECT_EQ(in.record().messages[0], "hello");
  transport->stop();
  EXPECT_EQ(in.record().closed, 1);
  EXPECT_EQ(out.record().closed, 1);
}

TEST(Memory, MessagesSentBeforeCloseArrive) {
  LinkProbe in;
  LinkProbe out;
  const auto a = make_memory_transport();
  const auto b = make_memory_transport();
  ASSERT_TRUE(a->listen("memory://last-words", in).ok());
  ASSERT_TRUE(b->dial("memory://last-words", out).ok());
  const auto link = out.wait_link(kPatience);
  ASSERT_TRUE(link);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(link->send("word"), SendOutcome::accepted);
  link->close();
  ASSERT_TRUE(in.wait_closed(kPatience));
  EXPECT_EQ(in.record().messages.size(), 100u);
  b->stop();
  a->stop();
}

TEST(Memory, ADroppedLinkIsClosed) {
  class Dropper final : public LinkAcceptor, public LinkHandler {
   public:
    LinkHandler* on_link(std::shared_ptr<Link>, bool, const std::string&) override { return this; }
    void on_dial_failed(const std::string&, Status) override {}
    void on_message(std::string_view) override {}
    void on_writable() override {}
    void on_closed(Status) override {}
  };
  Dropper dropper;
  LinkProbe out;
  const auto a = make_memory_transport();
  const auto b = make_memory_transport();
  ASSERT_TRUE(a->listen("memory://drop", dropper).ok());
  ASSERT_TRUE(b->dial("memory://drop", out).ok());
  EXPECT_TRUE(out.wait_closed(kPatience));
  b->stop();
  a->stop();
}

TEST(Memory, ARefusedLinkIsClosed) {
  class Refuser final : public LinkAcceptor {
   public:
    LinkHandler* on_link(std::shared_ptr<Link>, bool, const std::string&) override {
      return nullptr;
    }
    void on_dial_failed(const std::string&, Status) override {}
  };
  Refuser refuser;
  LinkProbe out;
  const auto a = make_memory_transport();
  const auto b = make_memory_transport();
  ASSERT_TRUE(a->listen("memory://refuse", refuser).ok());
  ASSERT_TRUE(b->dial("memory://refuse", out).ok());
  EXPECT_TRUE(out.wait_closed(kPatience));
  b->stop();
  a->stop();
}

TEST(Memory, NamesAreBounded) {
  LinkProbe probe;
  const auto transport = make_memory_transport();
  const std::string longest = "memory://" + std::string(255, 'n');
  EXPECT_TRUE(transport->listen(longest, probe).ok());
  EXPECT_EQ(transport->listen(longest + "n", probe).status().code(), Errc::invalid_argument);
}

}  // namespace
}  // namespace mycelial
