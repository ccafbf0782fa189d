// SPDX-License-Identifier: Apache-2.0
#include "net/endpoint.hpp"

#include <charconv>
#include <string_view>

namespace mycelial::net {
namespace {

constexpr std::string_view kScheme = "tcp://";
constexpr std::size_t kHostBytesMax = 253;  // of a name in the DNS

Status malformed(const std::string& text, const char* why) {
  return Status(Errc::invalid_argument, "'" + text.substr(0, 300) + "': " + why +
                                            "; write tcp://HOST:PORT, such as tcp://10.0.0.7:4100 "
                                            "or tcp://[::1]:4100");
}

bool valid_host(std::string_view host, bool bracketed) {
  if (host.empty() || host.size() > kHostBytesMax) return false;
  for (const char c : host) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (letter || digit || c == '.' || c == '-' || c == '_') continue;
    if (bracketed && (c == ':' || c == '%')) continue;
    return false;
  }
  return bracketed == (host.find(':') != std::string_view::npos);
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
  std::string_view rest = text;
  if (rest.substr(0, kScheme.size()) != kScheme)
    return malformed(text, "does not begin with tcp://");
  rest.remove_prefix(kScheme.size());
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return malformed(text, "has no port");

  std::string_view host = rest.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!valid_host(host, bracketed)) return malformed(text, "has no valid host");

  const std::string_view port = rest.substr(colon + 1);
  Endpoint endpoint;
  endpoint.host = std::string(host);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return malformed(text, "has no port between 0 and 65535");
  }
  return endpoint;
}

std::string format_endpoint(const std::string& host, std::uint16_t port) {
  const bool bracketed = host.find(':') != std::string::npos;
  return std::string(kScheme) + (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace mycelial::net
