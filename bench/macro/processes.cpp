// SPDX-License-Identifier: Apache-2.0
// The command as users run it: two processes, their time and memory, and the size of what ships.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

/// A child process; its output is ours to read.
class Child {
 public:
  explicit Child(const std::vector<std::string>& words) {
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
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      wait();
    }
    std::fclose(out_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string line() {
    char text[512] = {};
    if (!std::fgets(text, sizeof text, out_)) return {};
    std::string out(text);
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
  }
  void stop() {
    note_peak();
    ::kill(pid_, SIGTERM);
    wait();
  }
  /// Until it ends. Gives its exit code. Looks at its memory meanwhile: what the kernel tells after
  /// the end includes the memory of this program, which the child was forked from.
  int wait() {
    int status = 0;
    while (::wait4(pid_, &status, WNOHANG, &usage_) == 0) {
      note_peak();
      ::usleep(2000);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  double cpu_s() const {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(usage_.ru_utime) + seconds(usage_.ru_stime);
  }
  double peak_mib() const { return peak_kib_ / 1024; }

 private:
  void note_peak() {
    std::ifstream status(fmt::format("/proc/{}/status", pid_));
    std::string word;
    while (status >> word) {
      if (word == "VmHWM:") status >> peak_kib_;
    }
  }

  pid_t pid_ = -1;
  std::FILE* out_ = nullptr;
  rusage usage_{};
  double peak_kib_ = 0;
};

struct Trip {
  double wall_s = 0, cpu_s = 0;
  double server_mib = 0, client_mib = 0;
};

/// `mycelial sync` of an empty file from a served one, process starts included (of the client).
Trip sync_once(Lab& lab, Shape shape, const std::string& from) {
  const auto to = lab.path("fresh.db");
  { Node fresh(to, shape, false); }
  Child server({lab.options.tool, "serve", from, "--listen", "tcp://127.0.0.1:0"});
  const auto said = server.line();
  const auto at = said.find("tcp://");
  if (at == std::string::npos) {
    std::fprintf(stderr, "serve said: %s\n", said.c_str());
    std::exit(1);
  }
  const auto start = std::chrono::steady_clock::now();
  Child client({lab.options.tool, "sync", to, said.substr(at), "--timeout", "300"});
  if (client.wait() != 0) std::exit(1);
  Trip out;
  out.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  server.stop();
  out.cpu_s = client.cpu_s() + server.cpu_s();
  out.server_mib = server.peak_mib();
  out.client_mib = client.peak_mib();
  return out;
}

double copy_once(Lab& lab, Shape shape, const std::string& from) {
  const auto to = lab.path("copy.db");
  remove_database(to);
  {
    Database db(to);
    db.exec(create_sql(shape));
  }
  const auto start = std::chrono::steady_clock::now();
  Child copy({lab.options.self, "--copy", from, to});
  if (copy.wait() != 0) std::exit(1);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void fill(Lab& lab, Shape shape, const std::string& path, std::int64_t rows) {
  Node node(path, shape, false);
  Writer(node.client(), shape).run(Writer::Op::insert, 1, rows, 1000, 0);
  node.client().checkpoint();
  (void)lab;
}

void bootstrap(Lab& lab, Kind kind) {
  const Shape shape{kind, true};
  const auto from = lab.path("served.db");
  std::vector<double> ratios, ours, plain;
  for (int i = 0; i < lab.options.rounds; ++i) {
    if (i == 0) {
      fill(lab, shape, from, lab.options.rows);
      sync_once(lab, shape, from);  // seals; measured apart
    }
    plain.push_back(copy_once(lab, shape, from));
    ours.push_back(sync_once(lab, shape, from).wall_s);
    ratios.push_back(ours.back() / plain.back());
  }
  lab.value("processes",
            fmt::format("sync of {} rows into an empty file, {}, against INSERT ... SELECT",
                        lab.options.rows, name_of(kind)),
            "x", spread_of(ratios), 1.5, false,
            fmt::format("{:.2f} s, plain {:.2f} s, by wall time", spread_of(ours).median,
                        spread_of(plain).median));
}

void memory(Lab& lab) {
  const Shape shape{Kind::integer_key, true};
  const auto from = lab.path("served.db");
  fill(lab, shape, from, lab.options.many_rows);
  const auto trip = sync_once(lab, shape, from);
  const auto name = fmt::format("{} rows: peak memory of ", lab.options.many_rows);
  const auto one = [](double v) { return Spread{v, v, v}; };
  lab.value("processes", name + "the one that seals and sends", "MiB", one(trip.server_mib), 64);
  lab.value("processes", name + "the one that applies", "MiB", one(trip.client_mib), 64);
  lab.value("processes",
            fmt::format("{} rows: seal + send + apply, CPU of both", lab.options.many_rows), "s",
            one(trip.cpu_s));
  { Node empty(lab.path("fresh.db"), shape, false); }
  Child idle({lab.options.tool, "serve", lab.path("fresh.db"), "--listen", "tcp://127.0.0.1:0"});
  idle.line();
  idle.stop();
  lab.value("processes", "memory of a node that has just started", "MiB", one(idle.peak_mib()), 10);
}

void sizes(Lab& lab) {
  const auto stripped = [&](const std::string& file, const char* name, double target) {
    if (file.empty()) return;
    const auto copy = lab.path("stripped");
    Child strip({"/usr/bin/strip", "-o", copy, file});
    if (strip.wait() != 0) return;
    const double mib = static_cast<double>(std::filesystem::file_size(copy)) / 1048576;
    lab.value("processes", name, "MiB", {mib, mib, mib}, target);
  };
  stripped(lab.options.tool, "command, stripped", 6);
  stripped(lab.options.library, "library, stripped", 6);
}

}  // namespace

void measure_processes(Lab& lab) {
  sizes(lab);
  bootstrap(lab, Kind::integer_key);
  bootstrap(lab, Kind::keyless);
  memory(lab);
}

}  // namespace mycelial::bench
