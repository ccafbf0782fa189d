// SPDX-License-Identifier: Apache-2.0
// The other end: a file that is served too, and somebody who writes to it at a steady rate.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace mycelial::bench {

class RemoteWriter {
 public:
  /// One row a transaction; none when `per_second` is 0.
  RemoteWriter(const std::string& path, int per_second);
  ~RemoteWriter();
  RemoteWriter(const RemoteWriter&) = delete;
  RemoteWriter& operator=(const RemoteWriter&) = delete;

  std::uint64_t written() const { return written_; }

 private:
  void run(const std::string& path, int per_second);

  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> written_{0};
  std::thread thread_;
};

}  // namespace mycelial::bench
