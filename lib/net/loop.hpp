// SPDX-License-Identifier: Apache-2.0
// Loop: what the parts of one TCP transport share. One thread runs it; links keep it alive, so that
// a link may outlive its transport.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "mycelial/transports/tcp.hpp"
#include "net/endpoint.hpp"

namespace mycelial::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct Loop {
  explicit Loop(const TcpOptions& o) : options(o) {}
  const TcpOptions options;
  asio::io_context io{1};
  // Bytes on their way from a socket into a link's own buffer; on the loop's thread only.
  std::array<char, 64 * 1024> scratch;
  // Accepted connections that are open; on the loop's thread only.
  std::size_t accepted = 0;
};

inline std::string to_text(const tcp::endpoint& endpoint) {
  return format_endpoint(endpoint.address().to_string(), endpoint.port());
}

}  // namespace mycelial::net
