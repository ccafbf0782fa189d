// SPDX-License-Identifier: Apache-2.0
// tcp://HOST:PORT, in text and in parts.
#pragma once

#include <cstdint>
#include <string>

#include "mycelial/status.hpp"

namespace mycelial::net {

struct Endpoint {
  std::string host;  ///< A name or an address, without brackets.
  std::uint16_t port = 0;
};

/// HOST is a name, an IPv4 address, or an IPv6 address in brackets.
Result<Endpoint> parse_endpoint(const std::string& text);
/// The inverse.
std::string format_endpoint(const std::string& host, std::uint16_t port);

}  // namespace mycelial::net
