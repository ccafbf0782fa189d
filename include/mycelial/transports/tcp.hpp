// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "mycelial/transport.hpp"

namespace mycelial {

struct TcpOptions {
  std::uint32_t keep_alive_ms = 5000;   ///< Silence after which a keep-alive frame is sent.
  std::uint32_t dead_after_ms = 20000;  ///< Silence after which a link counts as dead.
  std::uint32_t handshake_ms = 5000;    ///< Time for a new connection to say its preface.
  std::uint32_t retry_min_ms = 200;     ///< First reconnect delay; doubles, with jitter...
  std::uint32_t retry_max_ms = 10000;   ///< ...up to this.
  std::uint32_t links_max = 1024;       ///< Accepted links beyond this are refused.
};

/// Links over TCP: `tcp://HOST:PORT` with HOST a name, an IPv4 address or an IPv6 address in
/// brackets; port 0 asks the system for a free one. One background thread.
MYCELIAL_API std::unique_ptr<Transport> make_tcp_transport(const TcpOptions& options = {});

}  // namespace mycelial
