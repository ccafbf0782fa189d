// SPDX-License-Identifier: Apache-2.0
// mycelial serve: keeps links up until SIGINT or SIGTERM.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

/// Says on stderr when a peer comes or goes, and why.
void log_peers(Replica& replica, std::map<std::string, std::string>& said) {
  const auto status = replica.status();
  if (!status.ok()) return;
  for (const auto& p : status->peers) {
    std::string now = p.connected            ? "connected"
                      : p.last_error.empty() ? ""
                                             : "not connected: " + p.last_error;
    auto& before = said[p.endpoint];
    if (now.empty() || now == before) continue;
    before = now;
    std::fprintf(stderr, "mycelial: %s %s\n", p.endpoint.c_str(), now.c_str());
  }
  auto& error = said[""];
  if (status->last_error != error) {
    error = status->last_error;
    if (!error.empty()) std::fprintf(stderr, "mycelial: %s\n", error.c_str());
  }
}

}  // namespace

int serve(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("serve needs one database");
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);  // before any thread starts
  const int signals = ::signalfd(-1, &stop, SFD_CLOEXEC);
  int code = kGood;
  const auto replica = open(a.plain[0], true, &code);
  if (!replica) return code;
  for (const auto& endpoint : a.listen) {
    const auto bound = replica->listen(endpoint);
    if (!bound.ok()) return fail(bound.status());
    std::printf("listening %s\n", bound->c_str());
  }
  for (const auto& endpoint : a.peers) {
    const Status status = replica->connect(endpoint);
    if (!status.ok()) return fail(status);
  }
  std::fflush(stdout);
  std::map<std::string, std::string> said;
  pollfd wait{signals, POLLIN, 0};
  while (::poll(&wait, 1, 5000) <= 0) log_peers(*replica, said);
  replica->close();
  ::close(signals);
  return kGood;
}

}  // namespace mycelial::cli
