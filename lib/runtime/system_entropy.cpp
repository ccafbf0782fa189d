// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <exception>

#include "runtime/runtime.hpp"

namespace mycelial::runtime {
namespace {

/// Reads until full. For sandboxes that forbid the system call getrandom.
bool fill_from_device(char* out, std::size_t bytes) noexcept {
  const int fd = ::open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  while (bytes > 0) {
    const ssize_t got = ::read(fd, out, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    out += got;
    bytes -= static_cast<std::size_t>(got);
  }
  ::close(fd);
  return bytes == 0;
}

class SystemEntropy final : public Entropy {
 public:
  void fill(void* out, std::size_t bytes) noexcept override {
    auto* at = static_cast<char*>(out);
    while (bytes > 0) {
      const ssize_t got = ::getrandom(at, bytes, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) break;
      at += got;
      bytes -= static_cast<std::size_t>(got);
    }
    // Site ids made of predictable bytes would break the data of others: better no process.
    if (bytes > 0 && !fill_from_device(at, bytes)) std::terminate();
  }
};

}  // namespace

Entropy& system_entropy() {
  static SystemEntropy* const entropy = new SystemEntropy;
  return *entropy;
}

}  // namespace mycelial::runtime
