// SPDX-License-Identifier: Apache-2.0
#include "macro/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace mycelial::bench {

Child::Child(const std::vector<std::string>& words) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) std::exit(1);
  std::vector<char*> argv;
  for (const auto& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(pipe[1], STDOUT_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(pipe[1]);
  out_ = ::fdopen(pipe[0], "r");
}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    wait();
  }
  std::fclose(out_);
}

std::string Child::line() {
  char text[512] = {};
  if (!std::fgets(text, sizeof text, out_)) return {};
  std::string out(text);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

void Child::stop() {
  note_peak();
  ::kill(pid_, SIGTERM);
  wait();
}

int Child::wait() {
  int status = 0;
  while (::wait4(pid_, &status, WNOHANG, &usage_) == 0) {
    note_peak();
    ::usleep(2000);
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

double Child::cpu_s() const {
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage_.ru_utime) + seconds(usage_.ru_stime);
}

void Child::note_peak() {
  std::ifstream status(fmt::format("/proc/{}/status", pid_));
  std::string word;
  while (status >> word) {
    if (word == "VmHWM:") status >> peak_kib_;
  }
}

namespace {
std::vector<std::string> serve(const std::string& tool, const std::string& path,
                               const std::string& peer) {
  std::vector<std::string> words{tool, "serve", path, "--listen", "tcp://127.0.0.1:0"};
  if (!peer.empty()) words.insert(words.end(), {"--peer", peer});
  return words;
}
}  // namespace

Server::Server(const std::string& tool, const std::string& path, const std::string& peer)
    : child_(serve(tool, path, peer)) {
  const auto said = child_.line();
  const auto at = said.find("tcp://");
  if (at == std::string::npos) {
    std::fprintf(stderr, "serve said: %s\n", said.c_str());
    std::exit(1);
  }
  endpoint_ = said.substr(at);
}

}  // namespace mycelial::bench
