// SPDX-License-Identifier: Apache-2.0
// Raw sockets on the loopback, for playing a peer that does not keep to the protocol.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

namespace mycelial::net {

constexpr int kPatienceMs = 20000;
constexpr std::string_view kGoodPreface{"MYCEL\r\n\x01", 8};

inline bool have_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) return false;
  sockaddr_in6 at{};
  at.sin6_family = AF_INET6;
  at.sin6_addr = in6addr_loopback;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  ::close(fd);
  return bound;
}

inline sockaddr_in loopback(int port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  return at;
}

inline int port_of(const std::string& endpoint) {
  return std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
}

class RawSocket {
 public:
  explicit RawSocket(int fd = -1) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RawSocket() { close(); }

  static RawSocket connect(const std::string& endpoint) {
    RawSocket out(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in at = loopback(port_of(endpoint));
    if (::connect(out.fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) out.close();
    return out;
  }
  /// Bound to a free port; listens when `backlog` >= 0.
  static RawSocket bound(int backlog) {
    RawSocket out(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in at = loopback(0);
    if (::bind(out.fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) out.close();
    if (backlog >= 0 && ::listen(out.fd_, backlog) != 0) out.close();
    return out;
  }
  RawSocket accept() const {
    pollfd p{fd_, POLLIN, 0};
    if (::poll(&p, 1, kPatienceMs) != 1) return RawSocket();
    return RawSocket(::accept(fd_, nullptr, nullptr));
  }
  std::string endpoint() const {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    return "tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }

  bool ok() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// Reads exactly `bytes` bytes, or what comes before the end.
  std::string receive(std::size_t bytes) const {
    std::string out;
    while (out.size() < bytes && readable()) {
      char buffer[4096];
      const ssize_t n = ::recv(fd_, buffer, std::min(sizeof buffer, bytes - out.size()), 0);
      if (n <= 0) break;
      out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
  }
  /// True when the other side closes; whatever it says before is dropped.
  bool wait_end() const {
    while (readable()) {
      char buffer[4096];
      if (::recv(fd_, buffer, sizeof buffer, 0) <= 0) return true;
    }
    return false;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  bool readable() const {
    pollfd p{fd_, POLLIN, 0};
    return ::poll(&p, 1, kPatienceMs) == 1;
  }
  int fd_;
};

inline std::string frame(std::string_view payload) {
  std::string out(4, '\0');
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(payload.size() >> (24 - 8 * i));
  return out.append(payload);
}

}  // namespace mycelial::net
