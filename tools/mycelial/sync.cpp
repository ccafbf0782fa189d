// SPDX-License-Identifier: Apache-2.0
// mycelial sync: both ways, once.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

using std::chrono::milliseconds;
// Unless --timeout says otherwise: for the whole, and with a peer that does not listen yet.
constexpr std::uint32_t kTimeoutMs = 60'000, kPatienceMs = 5000;

milliseconds since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
}

/// A peer that cannot be reached is tried again, at growing distances: it may be about to start.
Status sync_with_patience(Replica& replica, const Arguments& a, const Replica::Progress& show) {
  const auto start = std::chrono::steady_clock::now();
  const milliseconds whole{a.timeout_ms.value_or(kTimeoutMs)};
  const milliseconds patience{a.timeout_ms.value_or(kPatienceMs)};
  bool reached = false;
  const auto progress = [&](std::uint64_t here, std::uint64_t there) {
    reached = true;
    show(here, there);
  };
  for (milliseconds pause{50};; pause = std::min(2 * pause, milliseconds{1000})) {
    const milliseconds left = std::max(whole - since(start), milliseconds{1});
    Status status = replica.sync(a.plain[1], static_cast<std::uint32_t>(left.count()), progress);
    if (reached || status.code() != Errc::io) return status;
    if (since(start) + pause >= patience) {
      return {Errc::io, std::string(status.message()) + "; if that is the right address, start " +
                            "the peer: mycelial serve DB --listen " + a.plain[1]};
    }
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

int sync(const Arguments& a) {
  if (a.plain.size() != 2) return usage_error("sync needs a database and a peer, tcp://HOST:PORT");
  int code = kGood;
  const auto replica = open(a.plain[0], true, &code);
  if (!replica) return code;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const auto progress = [&](std::uint64_t here, std::uint64_t there) {
    if (terminal) {
      std::fprintf(stderr, "\rchange sets missing: %llu here, %llu there   ",
                   static_cast<unsigned long long>(here), static_cast<unsigned long long>(there));
    }
  };
  const Status status = sync_with_patience(*replica, a, progress);
  if (terminal) std::fputs("\n", stderr);
  if (!status.ok()) return fail(status);
  replica->close();
  return kGood;
}

}  // namespace mycelial::cli
