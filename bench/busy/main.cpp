// SPDX-License-Identifier: Apache-2.0
// mycelial_busy: how often an application that reads and then writes meets SQLITE_BUSY because its
// file is served, while a peer writes.
#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "busy/application.hpp"
#include "busy/remote.hpp"
#include "macro/child.hpp"
#include "macro/database.hpp"

namespace mycelial::bench {
namespace {

struct Settings {
  std::string tool = MYCELIAL_TOOL, folder;
  double seconds = 5;
  int pause_ms = 10;
};

void create(const Settings& settings, const std::string& path, bool tracked) {
  Database(path).exec(kSchema);
  if (tracked && Child({settings.tool, "track", path, "--all"}).wait() != 0) std::exit(1);
}

std::int64_t remote_rows(const std::string& path) {
  return Database(path).integer("SELECT count(*) FROM message WHERE author = 'remote'");
}

/// Waits until the peer's row has come; false after half a minute.
bool arrived(const std::string& path, std::int64_t rows) {
  for (int i = 0; i < 300; ++i) {
    if (remote_rows(path) >= rows) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

/// The file of the application, and, if served, that of the peer.
class Pair {
 public:
  Pair(const Settings& settings, const std::string& name, bool served)
      : here_(settings.folder + "/" + name + ".db"),
        there_(settings.folder + "/" + name + "-peer.db") {
    create(settings, here_, served);
    if (!served) return;
    create(settings, there_, true);
    server_.emplace(settings.tool, here_);
    peer_.emplace(settings.tool, there_, server_->endpoint());
    Database(there_).exec("INSERT INTO message VALUES('remote', 0, 'first')");
    if (!arrived(here_, 1)) {
      std::fputs("the peers did not meet\n", stderr);
      std::exit(1);
    }
  }

  /// One line of the table.
  void measure(const Habit& habit, int per_second, double seconds) {
    Tally tally;
    std::int64_t behind = 0;
    {
      RemoteWriter writer(there_, per_second);
      tally = run_application(here_, habit, seconds);
      if (peer_) behind = remote_rows(there_) - remote_rows(here_);
    }
    const auto per_1000 = [&](std::uint64_t count) {
      const auto attempts = tally.transactions + tally.busy + tally.snapshot;
      return attempts == 0 ? 0.0
                           : static_cast<double>(count) * 1000 / static_cast<double>(attempts);
    };
    fmt::print("| {} | {} | BEGIN{} | {} | {} | {:.1f} | {:.1f} | {:.2f} | {:.1f} | {} |\n",
               peer_ ? std::to_string(per_second) : "no engine", habit.think_ms,
               habit.immediate ? " IMMEDIATE" : "", habit.busy_timeout_ms, tally.transactions,
               per_1000(tally.busy), per_1000(tally.snapshot), tally.mean_ms, tally.longest_ms,
               behind);
    std::fflush(stdout);
    if (peer_ && !arrived(here_, remote_rows(there_))) std::exit(1);
  }

 private:
  std::string here_, there_;
  std::optional<Server> server_, peer_;
};

int usage() {
  std::fputs("mycelial_busy [--seconds S] [--pause MS] [--tool PATH]\n", stderr);
  return 2;
}

int run(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--seconds") {
      settings.seconds = std::atof(value.c_str());
    } else if (word == "--pause") {
      settings.pause_ms = std::atoi(value.c_str());
    } else if (word == "--tool") {
      settings.tool = value;
    } else {
      return usage();
    }
  }
  if (argc % 2 == 0) return usage();
  settings.folder = std::filesystem::temp_directory_path() / "mycelial-busy-XXXXXX";
  if (!::mkdtemp(settings.folder.data())) return 1;
  std::puts(
      "| peer's transactions/s | think ms | begins with | busy_timeout ms | committed | of 1000 "
      "attempts BUSY | SNAPSHOT | in SQLite, mean ms | longest ms | rows behind at the end |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const int per_second : {-1, 1, 20, 200}) {
    Pair pair(settings, fmt::format("rate{}", per_second), per_second >= 0);
    for (const int think_ms : {0, 5, 50}) {
      for (const bool immediate : {false, true}) {
        for (const int timeout_ms : {0, 5000}) {
          if (per_second < 0 && (immediate || timeout_ms > 0)) continue;  // the control
          pair.measure({think_ms, settings.pause_ms, immediate, timeout_ms}, per_second,
                       settings.seconds);
        }
      }
    }
  }
  std::filesystem::remove_all(settings.folder);
  return 0;
}

}  // namespace
}  // namespace mycelial::bench

int main(int argc, char** argv) {
  return mycelial::bench::run(argc, argv);
}
