// SPDX-License-Identifier: Apache-2.0
#include "runtime/thread_executor.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/runtime.hpp"

namespace mycelial::runtime {

struct ThreadExecutor::State {
  struct Timer {
    std::uint64_t at;
    std::uint64_t order;  // equal times run in the order posted
    Task task;
  };
  static bool later(const Timer& a, const Timer& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  void run();
  void move_due(std::uint64_t now);
  void sleep(std::unique_lock<std::mutex>& lock);

  std::mutex mutex;
  std::mutex join_mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::uint64_t next_order = 0;
  std::deque<Task> tasks;
  std::vector<Timer> timers;  // a heap, the earliest on top
};

void ThreadExecutor::State::move_due(std::uint64_t now) {
  while (!timers.empty() && timers.front().at <= now) {
    std::pop_heap(timers.begin(), timers.end(), later);
    tasks.push_back(std::move(timers.back().task));
    timers.pop_back();
  }
}

void ThreadExecutor::State::sleep(std::unique_lock<std::mutex>& lock) {
  if (timers.empty()) {
    wake.wait(lock);
    return;
  }
  // Capped, so that a far time cannot overflow the clock's representation.
  constexpr std::uint64_t kLongestMs = 3'600'000;
  const std::uint64_t now = system_clock().monotonic_ms();
  const std::uint64_t at = timers.front().at;
  const std::uint64_t ms = at > now ? std::min(at - now, kLongestMs) : 0;
  wake.wait_for(lock, std::chrono::milliseconds(ms));
}

void ThreadExecutor::State::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (!timers.empty()) move_due(system_clock().monotonic_ms());
    if (tasks.empty()) {
      sleep(lock);
      continue;
    }
    Task task = std::move(tasks.front());
    tasks.pop_front();
    lock.unlock();
    try {
      task();
    } catch (...) {  // Not ours to judge, and nobody above us to tell.
    }
    task = nullptr;
    lock.lock();
  }
}

ThreadExecutor::ThreadExecutor()
    : state_(std::make_shared<State>()), thread_([state = state_] { state->run(); }) {}

ThreadExecutor::~ThreadExecutor() {
  stop();
  if (thread_.joinable()) thread_.detach();
}

void ThreadExecutor::post(Task task) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping) return;
    state_->tasks.push_back(std::move(task));
  }
  state_->wake.notify_one();
}

void ThreadExecutor::post_at(std::uint64_t monotonic_ms, Task task) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping) return;
    auto& timers = state_->timers;
    timers.push_back({monotonic_ms, state_->next_order++, std::move(task)});
    std::push_heap(timers.begin(), timers.end(), State::later);
  }
  state_->wake.notify_one();
}

void ThreadExecutor::stop() noexcept {
  std::deque<Task> tasks;
  std::vector<State::Timer> timers;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    tasks.swap(state_->tasks);
    timers.swap(state_->timers);
  }
  state_->wake.notify_all();
  if (thread_.get_id() != std::this_thread::get_id()) {
    const std::lock_guard lock(state_->join_mutex);
    if (thread_.joinable()) thread_.join();
  }
  // Tasks are destroyed here, outside the lock: a destructor may well call post().
}

std::unique_ptr<ThreadExecutor> make_thread_executor() {
  return std::make_unique<ThreadExecutor>();
}

}  // namespace mycelial::runtime
