// SPDX-License-Identifier: Apache-2.0
#include "engine/strand.hpp"

#include <utility>

namespace mycelial::engine {
namespace {

thread_local const Strand* current = nullptr;

class Inside {
 public:
  explicit Inside(const Strand* strand) : before_(std::exchange(current, strand)) {}
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { current = before_; }

 private:
  const Strand* before_;
};

}  // namespace

Executor::Task Strand::wrap(Executor::Task task) {
  return [self = shared_from_this(), task = std::move(task)] {
    const Inside inside(self.get());
    task();
  };
}

void Strand::post(Executor::Task task) {
  executor_.post(wrap(std::move(task)));
}

void Strand::post_at(std::uint64_t monotonic_ms, Executor::Task task) {
  executor_.post_at(monotonic_ms, wrap(std::move(task)));
}

bool Strand::inside() const noexcept {
  return current == this;
}

}  // namespace mycelial::engine
