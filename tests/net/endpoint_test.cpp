// SPDX-License-Identifier: Apache-2.0
#include "net/endpoint.hpp"

#include <gtest/gtest.h>

namespace mycelial::net {
namespace {

TEST(Endpoint, ReadsWhatItWrites) {
  const struct {
    const char *text, *host;
    int port;
  } cases[] = {{"tcp://10.0.0.7:4100", "10.0.0.7", 4100},
               {"tcp://localhost:0", "localhost", 0},
               {"tcp://base-1.example_net.org:65535", "base-1.example_net.org", 65535},
               {"tcp://[::1]:1", "::1", 1},
               {"tcp://[fe80::1%eth0]:80", "fe80::1%eth0", 80}};
  for (const auto& c : cases) {
    const auto endpoint = parse_endpoint(c.text);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status().to_string();
    EXPECT_EQ(endpoint->host, c.host);
    EXPECT_EQ(endpoint->port, c.port);
    EXPECT_EQ(format_endpoint(endpoint->host, endpoint->port), c.text);
  }
}

TEST(Endpoint, RefusesTheRestAndSaysHowToWriteIt) {
  for (const std::string text : {"",
                                 "tcp://",
                                 "tcp:",
                                 "tcp:/a:1",
                                 "TCP://a:1",
                                 "udp://a:1",
                                 "a:1",
                                 "tcp://a",
                                 "tcp://a:",
                                 "tcp://:1",
                                 "tcp://a:65536",
                                 "tcp://a:-1",
                                 "tcp://a:+1",
                                 "tcp://a: 1",
                                 "tcp://a:1 ",
                                 "tcp://a:1/",
                                 "tcp://a:0x1",
                                 "tcp://a b:1",
                                 "tcp://a/b:1",
                                 "tcp://user@a:1",
                                 "tcp://::1:1",
                                 "tcp://[::1]",
                                 "tcp://[::1]:",
                                 "tcp://[]:1",
                                 "tcp://[a]:1",
                                 "tcp://[::1:1",
                                 "tcp://::1]:1",
                                 "tcp://a:1:2",
                                 "tcp://\xc3\xa4:1"}) {
    const auto endpoint = parse_endpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.status().code(), Errc::invalid_argument);
    EXPECT_NE(endpoint.status().message().find("tcp://HOST:PORT"), std::string::npos);
    EXPECT_NE(endpoint.status().message().find("'" + text + "'"), std::string::npos);
  }
  EXPECT_FALSE(parse_endpoint("tcp://" + std::string(254, 'a') + ":1").ok());
  EXPECT_FALSE(parse_endpoint(std::string("tcp://a\0b:1", 11)).ok());
  EXPECT_LT(parse_endpoint(std::string(100'000, 'x')).status().message().size(), 1000u);
}

}  // namespace
}  // namespace mycelial::net
