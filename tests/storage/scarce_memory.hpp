// SPDX-License-Identifier: Apache-2.0
// Memory that runs out on request, for operator new and for SQLite. For programs with one thread.
#pragma once

#include <cstdint>

namespace mycelial::test {

/// `requests` are granted from now on, the next one is not; those after it are again.
void refuse_memory_after(std::int64_t requests);
/// Whether all were granted since then. From now on all are.
bool memory_suffices();

}  // namespace mycelial::test
