// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

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
  const Serving told{{one, two}, "the disk\tis full", {"note 1", "note\n2"}, 7, 5, 4};
  ASSERT_TRUE(write_serving(path, format_serving(told)).ok());
  const auto [read, error, notes, collisions, elsewhere, everywhere] = read_serving(path);
  EXPECT_EQ(collisions, 7u);
  EXPECT_EQ(elsewhere, 5u);
  EXPECT_EQ(everywhere, 4u);
  EXPECT_EQ(error, told.last_error);
  EXPECT_EQ(notes, told.notes);
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
  remove_serving(path);
  EXPECT_TRUE(read_serving(path).peers.empty());
}

TEST(PeersFile, ADeadWriterIsIgnored) {
  const std::string path = database();
  PeerInfo peer;
  peer.endpoint = "tcp://a:1";
  ASSERT_TRUE(write_serving(path, format_serving({{peer}, {}, {}})).ok());
  EXPECT_EQ(read_serving(path).peers.size(), 1u);
  std::string all((std::istreambuf_iterator<char>(std::ifstream(serving_path(path)).rdbuf())), {});
  all.replace(all.find('\t') + 1, std::to_string(::getpid()).size(), "2147483646");
  std::ofstream(serving_path(path), std::ios::binary | std::ios::trunc) << all;
  EXPECT_TRUE(read_serving(path).peers.empty());
  remove_serving(path);
}

TEST(PeersFile, HalfWrittenIsIgnored) {
  const std::string path = database();
  PeerInfo peer;
  peer.endpoint = "tcp://a:1";
  ASSERT_TRUE(write_serving(path, format_serving({{peer}, "an error", {}})).ok());
  std::fstream(serving_path(path)) << "mycelial-serving-1";  // the rest follows
  EXPECT_EQ(read_serving(path).peers.size(), 1u);
  std::fstream file(serving_path(path), std::ios::in | std::ios::out);
  file.seekp(70);
  file << "another";
  file.close();
  EXPECT_TRUE(read_serving(path).peers.empty());
  remove_serving(path);
}

TEST(PeersFile, NonsenseIsIgnored) {
  const std::string path = database();
  for (const std::string& text : {std::string(), std::string("\n\n"), std::string(1000, '\0')}) {
    std::ofstream(serving_path(path), std::ios::binary | std::ios::trunc) << text;
    EXPECT_TRUE(read_serving(path).peers.empty());
  }
  for (const char* text : {"only two\tfields\n", "peer\tb\tc\n", "peer\ta\tb\tflags\t1\t2\t3\n"}) {
    ASSERT_TRUE(write_serving(path, text).ok());
    EXPECT_TRUE(read_serving(path).peers.empty());
  }
  remove_serving(path);
}

}  // namespace
}  // namespace mycelial::engine
