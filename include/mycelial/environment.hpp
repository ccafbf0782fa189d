// SPDX-License-Identifier: Apache-2.0
// Clock, Entropy, Executor: the world as a replica sees it. Hosts may replace any of them; the
// simulator replaces all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "mycelial/export.hpp"

namespace mycelial {

/// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::uint64_t monotonic_ms() noexcept = 0;  ///< Never goes back.
  virtual std::uint64_t wall_ms() noexcept = 0;       ///< Since 1970 UTC; may jump either way.
};

/// Threads: any. Cryptographic quality is required outside tests.
class Entropy {
 public:
  virtual ~Entropy() = default;
  virtual void fill(void* out, std::size_t bytes) noexcept = 0;
};

/// One strand: tasks run one after the other in the order posted, never concurrently, never
/// from inside post(). A host with an event loop implements it; the default runs one thread.
class Executor {
 public:
  using Task = std::function<void()>;
  virtual ~Executor() = default;
  virtual void post(Task task) = 0;                                 ///< From any thread.
  virtual void post_at(std::uint64_t monotonic_ms, Task task) = 0;  ///< From any thread.
};

/// Borrowed: each outlives the replica. A null member means the default one.
struct Environment {
  Clock* clock = nullptr;
  Entropy* entropy = nullptr;
  Executor* executor = nullptr;
};

}  // namespace mycelial
