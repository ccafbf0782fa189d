// SPDX-License-Identifier: Apache-2.0
// The public kit, on every built-in transport.
#include <gtest/gtest.h>

#include "mycelial/testing/transport_kit.hpp"
#include "mycelial/transports/memory.hpp"
#include "mycelial/transports/tcp.hpp"
#include "tests/net/loopback.hpp"

namespace mycelial {
namespace {

using testing::check_transport;
using Violations = std::vector<std::string>;

std::unique_ptr<Transport> make_quick_tcp() {
  TcpOptions options;
  options.retry_min_ms = 5;
  options.retry_max_ms = 50;
  return make_tcp_transport(options);
}

TEST(Conformance, Memory) {
  EXPECT_EQ(check_transport({.make = make_memory_transport, .listen_endpoint = "memory://kit"}),
            Violations{});
}

TEST(Conformance, TcpV4) {
  EXPECT_EQ(check_transport({.make = make_quick_tcp, .listen_endpoint = "tcp://127.0.0.1:0"}),
            Violations{});
}

TEST(Conformance, TcpV6) {
  const Violations found =
      check_transport({.make = make_quick_tcp, .listen_endpoint = "tcp://[::1]:0"});
  if (net::have_ipv6()) {
    EXPECT_EQ(found, Violations{});
  } else {  // Nothing to listen at: the kit says so, as it would of any endpoint that is not there.
    EXPECT_FALSE(found.empty());
  }
}

TEST(Conformance, TcpName) {
  EXPECT_EQ(check_transport({.make = make_quick_tcp, .listen_endpoint = "tcp://localhost:0"}),
            Violations{});
}

}  // namespace
}  // namespace mycelial
