// SPDX-License-Identifier: Apache-2.0
// A child process: its output, its end, its time and memory.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

namespace mycelial::bench {

/// A child process; its output is ours to read. Ended with SIGTERM when destroyed.
class Child {
 public:
  explicit Child(const std::vector<std::string>& words);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string line();
  void stop();
  /// Until it ends. Gives its exit code. Looks at its memory meanwhile: what the kernel tells after
  /// the end includes the memory of this program, which the child was forked from.
  int wait();
  double cpu_s() const;
  double peak_mib() const { return peak_kib_ / 1024; }

 private:
  void note_peak();

  pid_t pid_ = -1;
  std::FILE* out_ = nullptr;
  rusage usage_{};
  double peak_kib_ = 0;
};

/// `mycelial serve DB --listen` on a free port of the loopback, with the peer if there is one.
class Server {
 public:
  Server(const std::string& tool, const std::string& path, const std::string& peer = {});
  const std::string& endpoint() const { return endpoint_; }
  Child& process() { return child_; }

 private:
  Child child_;
  std::string endpoint_;
};

}  // namespace mycelial::bench
