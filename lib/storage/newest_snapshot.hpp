// SPDX-License-Identifier: Apache-2.0
// Who would lose by a commit of ours: connections, of any process, with a transaction open on the
// newest snapshot of a WAL database. When such a transaction goes on to write, it gets
// SQLITE_BUSY_SNAPSHOT if somebody committed meanwhile.
#pragma once

#include <cstdint>

#include "storage/sqlite.hpp"

namespace mycelial::storage {

/// The newest snapshot at one moment: which frame of the WAL is its last, and which of SQLite's
/// read locks those hold who read it.
class NewestSnapshot {
 public:
  /// No locks in rollback-journal mode, or where the VFS shows none: then nobody seems to read.
  static NewestSnapshot of(Connection& db);

  bool is_newest(Connection& db) const;  ///< Nobody has committed since.
  /// True while another connection reads this snapshot. `db` must not be in a transaction. Asks as
  /// SQLite's own checkpoints do: takes the lock for an instant. A reader that comes at that very
  /// instant tries again at once.
  bool is_read(Connection& db) const;

 private:
  std::uint32_t frame_ = 0;
  std::uint32_t locks_ = 0;  // bit i: read lock i
};

}  // namespace mycelial::storage
