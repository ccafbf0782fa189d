// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mycelial/status.hpp"

namespace mycelial::runtime {

/// POSIX locks belong to the process: when a second copy of SQLite in it closes a file, the locks
/// of the first are gone, and acknowledged rows get lost. Errc::unsupported, naming both copies,
/// when another library in this process has an SQLite of its own. Copies linked statically with
/// their symbols hidden cannot be seen.
Status check_sqlite_copies();

}  // namespace mycelial::runtime
