// SPDX-License-Identifier: Apache-2.0
#include "busy/remote.hpp"

#include <chrono>

#include "macro/database.hpp"

namespace mycelial::bench {

RemoteWriter::RemoteWriter(const std::string& path, int per_second) {
  if (per_second > 0) thread_ = std::thread([=, this] { run(path, per_second); });
}

RemoteWriter::~RemoteWriter() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void RemoteWriter::run(const std::string& path, int per_second) {
  Database db(path);
  db.exec("PRAGMA busy_timeout = 60000");
  auto next = std::chrono::steady_clock::now();
  while (!stopping_) {
    db.exec("INSERT INTO message VALUES('remote', 0, 'text')");
    ++written_;
    next += std::chrono::microseconds(1'000'000 / per_second);
    std::this_thread::sleep_until(next);
  }
}

}  // namespace mycelial::bench
