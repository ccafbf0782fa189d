// SPDX-License-Identifier: Apache-2.0
// Strand: a host's executor, plus the knowledge of which thread is inside one of our tasks.
#pragma once

#include <memory>

#include "mycelial/environment.hpp"

namespace mycelial::engine {

/// Threads: any. Tasks of one engine all go through one of these.
class Strand : public std::enable_shared_from_this<Strand> {
 public:
  explicit Strand(Executor& executor) : executor_(executor) {}

  void post(Executor::Task task);
  void post_at(std::uint64_t monotonic_ms, Executor::Task task);
  /// True when the calling thread runs a task of this strand: waiting for another would deadlock.
  bool inside() const noexcept;

 private:
  Executor::Task wrap(Executor::Task task);
  Executor& executor_;
};

}  // namespace mycelial::engine
