// SPDX-License-Identifier: Apache-2.0
#include "transports_local/strand.hpp"

#include <utility>

namespace mycelial::local {

Strand::~Strand() {
  finish(nullptr);
}

void Strand::start() {
  thread_ = std::thread([this] { run(); });
}

bool Strand::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Strand::post_after(std::chrono::milliseconds delay, Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    timers_.emplace(std::chrono::steady_clock::now() + delay, std::move(task));
  }
  wake_.notify_one();
}

void Strand::finish(Task last) noexcept {
  std::multimap<Time, Task> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_ && last) tasks_.push_back(std::move(last));
    closed_ = true;
    dropped.swap(timers_);
  }
  wake_.notify_one();
  const std::lock_guard join(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void Strand::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const Time now = timers_.empty() ? Time() : std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      tasks_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    if (tasks_.empty()) {
      if (closed_) return;
      if (timers_.empty()) {
        wake_.wait(lock);
      } else {
        const Time until = timers_.begin()->first;  // a copy: the timer may go while we wait
        wake_.wait_until(lock, until);
      }
      continue;
    }
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    try {
      task();
    } catch (...) {  // A callback of the host threw: not ours to judge.
    }
    task = nullptr;
    lock.lock();
  }
}

}  // namespace mycelial::local
