// SPDX-License-Identifier: Apache-2.0
// Strand: the one thread of a local transport. Tasks in the order posted, plus timers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace mycelial::local {

class Strand {
 public:
  using Task = std::function<void()>;
  Strand() = default;
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;
  ~Strand();

  /// Starts the thread. Throws std::system_error.
  void start();
  /// False: finished, the task will never run. Never runs inline.
  bool post(Task task);
  void post_after(std::chrono::milliseconds delay, Task task);
  /// Runs `last` after every task posted before, drops timers, joins. Not from a task.
  void finish(Task last) noexcept;

 private:
  using Time = std::chrono::steady_clock::time_point;
  void run();

  std::mutex mutex_;
  std::mutex join_mutex_;  // a second finish() waits for the first
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::multimap<Time, Task> timers_;
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace mycelial::local
