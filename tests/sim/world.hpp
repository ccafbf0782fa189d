// SPDX-License-Identifier: Apache-2.0
// World: time, a queue of tasks and random bytes for everything that lives in one thread. Nothing
// happens but in run(), and every run of one seed is the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "mycelial/environment.hpp"

namespace mycelial::sim {

class World final : public Clock, public Entropy, public Executor {
 public:
  static constexpr std::uint64_t kEpochMs = 1'700'000'000'000;

  explicit World(std::uint64_t seed = 42) : random_(seed) {}

  std::uint64_t monotonic_ms() noexcept override { return now_; }
  std::uint64_t wall_ms() noexcept override { return kEpochMs + now_; }
  void fill(void* out, std::size_t bytes) noexcept override {
    for (std::size_t i = 0; i < bytes; ++i) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;
      static_cast<unsigned char*>(out)[i] = static_cast<unsigned char>(random_ >> 56);
    }
  }
  void post(Task task) override { post_at(now_, std::move(task)); }
  void post_at(std::uint64_t at, Task task) override {
    tasks_.emplace(std::pair(std::max(at, now_), ++order_), std::move(task));
  }
  /// Runs everything due until then. Gives the number of tasks run.
  std::size_t run(std::uint64_t for_ms) {
    const std::uint64_t end = now_ + for_ms;
    std::size_t count = 0;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      auto first = tasks_.extract(tasks_.begin());
      now_ = std::max(now_, first.key().first);
      first.mapped()();
      ++count;
      if (after_task) after_task();
    }
    now_ = end;
    return count;
  }
  Environment environment() { return {this, this, this}; }
  std::size_t tasks() const { return tasks_.size(); }

  std::function<void()> after_task;

 private:
  std::uint64_t now_ = 1000, order_ = 0, random_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Task> tasks_;
};

}  // namespace mycelial::sim
