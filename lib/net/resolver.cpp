// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.hpp"

#include <netdb.h>

#include <boost/asio/post.hpp>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

namespace mycelial::net {
namespace {

constexpr std::size_t kAddressesMax = 8;

std::vector<tcp::endpoint> resolve_numeric(const Endpoint& endpoint) {
  error_code error;
  const auto address = asio::ip::make_address(endpoint.host, error);
  if (error) return {};
  return {tcp::endpoint(address, endpoint.port)};
}

Addresses look_up(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &list);
  if (failed != 0) {
    return Status(Errc::io,
                  "cannot resolve the name '" + endpoint.host + "': " + ::gai_strerror(failed));
  }
  std::vector<tcp::endpoint> out;
  for (const addrinfo* at = list; at != nullptr && out.size() < kAddressesMax; at = at->ai_next) {
    tcp::endpoint one;
    if (at->ai_addrlen > one.capacity()) continue;
    std::memcpy(one.data(), at->ai_addr, at->ai_addrlen);
    one.resize(at->ai_addrlen);
    one.port(endpoint.port);
    out.push_back(one);
  }
  ::freeaddrinfo(list);
  if (out.empty()) return Status(Errc::io, "the name '" + endpoint.host + "' has no address");
  return out;
}

}  // namespace

Addresses resolve(const Endpoint& endpoint) {
  auto numeric = resolve_numeric(endpoint);
  if (!numeric.empty()) return numeric;
  return look_up(endpoint);
}

void resolve_async(const std::shared_ptr<Loop>& loop, const Endpoint& endpoint,
                   std::function<void(Addresses)> done) {
  auto numeric = resolve_numeric(endpoint);
  if (!numeric.empty()) {
    asio::post(loop->io, [done = std::move(done), numeric = std::move(numeric)]() mutable {
      done(std::move(numeric));
    });
    return;
  }
  try {
    std::thread([weak = std::weak_ptr(loop), endpoint, done]() mutable {
      Addresses addresses = look_up(endpoint);
      if (const auto alive = weak.lock()) {
        asio::post(alive->io, [done = std::move(done), addresses = std::move(addresses)]() mutable {
          done(std::move(addresses));
        });
      }
    }).detach();
  } catch (const std::system_error& e) {
    asio::post(loop->io, [done = std::move(done), why = std::string(e.what())] {
      done(Status(Errc::io, "no thread to resolve a name on: " + why));
    });
  }
}

}  // namespace mycelial::net
