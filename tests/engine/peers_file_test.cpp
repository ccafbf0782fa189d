// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/peers.hpp"

namespace mycelial::engine {
namespace {

std::string database() {
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  return ::testing::TempDir() + "mycelial_peers_" + info->name() + ".db";
}

TEST(PeersFile, KeepsWhatWasWritten) {
  PeerInfo one;
  one.endpoint = "tcp://a:1";
  one.site = "00ff";
  one.connected = one.in_sync = true;
  one.they_lack_sets = 3;
  one.we_lack_sets = 18446744073709551615u;
  PeerInfo two;
  two.endpoint = "odd://100%\tof\nit";
  two.last_error = "line one\nline two \x01";
  const std::string path = database();
  ASSERT_TRUE(write_peers(path, format_peers({one, two})).ok());
  const auto read = read_peers(path);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].endpoint, one.endpoint);
  EXPECT_EQ(read[0].site, one.site);
  EXPECT_TRUE(read[0].connected);
  EXPECT_TRUE(read[0].in_sync);
  EXPECT_EQ(read[0].they_lack_sets, one.they_lack_sets);
  EXPECT_EQ(read[0].we_lack_sets, one.we_lack_sets);
  EXPECT_EQ(read[1].endpoint, two.endpoint);
  EXPECT_EQ(read[1].last_error, two.last_error);
  EXPECT_FALSE(read[1].connected);
  remove_peers(path);
  EXPECT_TRUE(read_peers(path).empty());
}

TEST(PeersFile, ADeadWriterIsIgnored) {
  const std::string path = database();
  std::ofstream(peers_path(path)) << "mycelial-peers-1\t2147483646\ntcp://a:1\t\t10\t0\t0\t\n";
  EXPECT_TRUE(read_peers(path).empty());
  remove_peers(path);
}

TEST(PeersFile, NonsenseIsIgnored) {
  const std::string path = database();
  const std::string own = format_peers({});
  for (const std::string& text : {std::string(), std::string("\n\n"), std::string(1000, '\0'),
                                  own + "only two\tfields\n", own + "a\tb\tnot flags\t1\t2\t3\n"}) {
    std::ofstream(peers_path(path), std::ios::binary | std::ios::trunc) << text;
    EXPECT_TRUE(read_peers(path).empty());
  }
  remove_peers(path);
}

}  // namespace
}  // namespace mycelial::engine
