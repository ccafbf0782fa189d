// SPDX-License-Identifier: Apache-2.0
#include "engine/transports.hpp"

#include <utility>

#include "mycelial/transports/memory.hpp"
#include "mycelial/transports/tcp.hpp"

namespace mycelial::engine {
namespace {

std::string scheme_of(const std::string& endpoint) {
  const auto end = endpoint.find("://");
  return end == std::string::npos ? std::string() : endpoint.substr(0, end);
}

std::unique_ptr<Transport> built_in(const std::string& scheme) {
  if (scheme == "memory") return make_memory_transport();
#ifdef MYCELIAL_TCP
  if (scheme == "tcp") return make_tcp_transport();
#endif
  return nullptr;
}

}  // namespace

Status Transports::add(std::unique_ptr<Transport> transport) {
  if (!transport) return Status(Errc::invalid_argument, "the transport is null");
  const std::string scheme = transport->scheme();
  if (scheme.empty()) return Status(Errc::invalid_argument, "the transport has no scheme");
  if (!by_scheme_.emplace(scheme, std::move(transport)).second) {
    return Status(Errc::busy, "there is a transport for " + scheme +
                                  ":// already; add yours before it is first used");
  }
  own_.insert(scheme);
  return {};
}

Result<Transport*> Transports::of(const std::string& endpoint) {
  const std::string scheme = scheme_of(endpoint);
  if (scheme.empty()) {
    return Status(Errc::invalid_argument,
                  "'" + endpoint + "' is not an endpoint; tcp://HOST:PORT is one");
  }
  const auto found = by_scheme_.find(scheme);
  if (found != by_scheme_.end()) return found->second.get();
  auto fresh = built_in(scheme);
  if (!fresh) {
    return Status(Errc::unsupported,
                  "'" + endpoint + "': no transport for " + scheme +
                      ":// is built in (tcp:// is); a program adds its own with add_transport()");
  }
  return (by_scheme_[scheme] = std::move(fresh)).get();
}

std::unique_ptr<Transport> Transports::make_private(const std::string& endpoint) {
  const std::string scheme = scheme_of(endpoint);
  return own_.contains(scheme) ? nullptr : built_in(scheme);
}

void Transports::stop() noexcept {
  for (const auto& [scheme, transport] : by_scheme_) transport->stop();
}

}  // namespace mycelial::engine
