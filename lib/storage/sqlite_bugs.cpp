// SPDX-License-Identifier: Apache-2.0
#include "storage/sqlite_bugs.hpp"

#include <fmt/format.h>

namespace mycelial::storage {

std::string known_bug(int version) {
  const bool mended = version >= 3051003 || (version >= 3050007 && version < 3051000) ||
                      (version >= 3044006 && version < 3045000);
  if (version < 3007000 || mended) return {};
  return fmt::format(
      "SQLite {}.{}.{} has the WAL-reset bug: very rarely, a commit that meets two checkpoints is "
      "lost and the file damaged; use 3.51.3 or later, 3.50.7 or 3.44.6, in all programs that "
      "write "
      "the file (sqlite.org/wal.html#walresetbug)",
      version / 1000000, version / 1000 % 1000, version % 1000);
}

}  // namespace mycelial::storage
