// SPDX-License-Identifier: Apache-2.0
// Versions of SQLite that can damage what mycelial relies on.
#pragma once

#include <string>

namespace mycelial::storage {

/// What a version (as sqlite3_libversion_number() gives it) can do to a file that several
/// connections write, and which ones do not; empty: nothing is known. A distribution may have
/// mended it without changing the number.
std::string known_bug(int version);

}  // namespace mycelial::storage
