// SPDX-License-Identifier: Apache-2.0
// ThreadExecutor: one thread that runs tasks in the order posted, and timers when they are due.
#pragma once

#include <memory>
#include <thread>

#include "mycelial/environment.hpp"

namespace mycelial::runtime {

class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor();
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;
  /// stop(). Destroyed by one of its own tasks, the thread ends by itself after that task.
  ~ThreadExecutor() override;

  /// Ignored after stop(). A task that throws is dropped; the thread goes on.
  void post(Task task) override;
  /// Times are those of system_clock().monotonic_ms().
  void post_at(std::uint64_t monotonic_ms, Task task) override;

  /// Waits for the running task, drops all others (destroying them), joins the thread.
  /// Idempotent, any thread. From inside a task it cannot wait: no task follows the running one,
  /// and the thread is joined by the next stop() or the destructor.
  void stop() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace mycelial::runtime
