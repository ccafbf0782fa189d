// SPDX-License-Identifier: Apache-2.0
// mycelial serve: keeps links up until SIGINT or SIGTERM.
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

/// A descriptor that tells of SIGINT and SIGTERM, which no longer end the process by themselves.
int catch_signals() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  return ::signalfd(-1, &stop, SFD_CLOEXEC);
}

void wait_for_signal(int signals) {
  signalfd_siginfo info;
  while (::read(signals, &info, sizeof info) < 0 && errno == EINTR) {
  }
}

Status start(Replica& replica, const Arguments& a) {
  for (const auto& endpoint : a.listen) {
    const auto bound = replica.listen(endpoint);
    if (!bound.ok()) return bound.status();
    std::printf("listening %s\n", bound->c_str());
  }
  for (const auto& endpoint : a.peers) {
    if (Status status = replica.connect(endpoint); !status.ok()) return status;
  }
  std::fflush(stdout);
  return {};
}

}  // namespace

int serve(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("serve needs one database");
  const int signals = catch_signals();  // before any thread starts
  ReplicaOptions options;
  options.retention_s = a.retention_s;
  options.receive_bytes_per_second_max = a.receive_rate_max;
  options.log = [](const std::string& line) {
    std::fprintf(stderr, "mycelial: %s\n", line.c_str());
  };
  int code = kGood;
  const auto replica = open(a.plain[0], options, &code);
  if (!replica) return code;
  if (const Status status = start(*replica, a); !status.ok()) return fail(status);
  if (const auto status = replica->status(); status.ok() && status->tables.empty()) {
    std::fprintf(stderr,
                 "mycelial: %s tracks no table, so none of its rows are sent; run mycelial "
                 "track\n",
                 a.plain[0].c_str());
  }
  wait_for_signal(signals);
  replica->close();
  ::close(signals);
  return kGood;
}

}  // namespace mycelial::cli
