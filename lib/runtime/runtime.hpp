// SPDX-License-Identifier: Apache-2.0
// The parts of an Environment that a host did not give: the system's clock and entropy, and one
// thread. Only this layer touches them.
#pragma once

#include <memory>

#include "mycelial/environment.hpp"
#include "runtime/thread_executor.hpp"

namespace mycelial::runtime {

/// Never destroyed.
Clock& system_clock();
/// Never destroyed; getrandom(2).
Entropy& system_entropy();
/// Starts the thread. Throws std::system_error when the system has no thread to give.
std::unique_ptr<ThreadExecutor> make_thread_executor();

}  // namespace mycelial::runtime
