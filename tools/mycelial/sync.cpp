// SPDX-License-Identifier: Apache-2.0
// mycelial sync: both ways, once.
#include <unistd.h>

#include <cstdio>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {

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
  const Status status = replica->sync(a.plain[1], a.timeout_ms, progress);
  if (terminal) std::fputs("\n", stderr);
  if (!status.ok()) return fail(status);
  replica->close();
  return kGood;
}

}  // namespace mycelial::cli
