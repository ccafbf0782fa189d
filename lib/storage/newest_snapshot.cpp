// SPDX-License-Identifier: Apache-2.0
#include "storage/newest_snapshot.hpp"

namespace mycelial::storage {
namespace {

// The wal-index, as SQLite's documentation of the WAL format describes it.
constexpr int kRegionBytes = 32768;
constexpr std::uint32_t kReadLocks = 5;
constexpr int kFirstReadLock = 3;  // of the eight locks
// Places in it, in words of 32 bits.
constexpr std::size_t kNewestFrame = 4, kBackfilled = 24, kReadMarks = 25;

/// The file of a WAL database, if its VFS has locks in shared memory; else null.
sqlite3_file* file_of(Connection& db) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  const bool shared = file && file->pMethods && file->pMethods->iVersion >= 2;
  return shared && file->pMethods->xShmMap && db.is_wal() ? file : nullptr;
}

/// Is it the lock of those who read the snapshot that ends with this frame? One whose mark says so,
/// or the first: of readers who need no WAL, because all of it is in the database. (Who finds no
/// free lock shares that of an older snapshot, and is taken for a reader of that one.)
bool serves(const volatile std::uint32_t* index, std::uint32_t lock, std::uint32_t frame) {
  return lock == 0 ? index[kBackfilled] == frame : index[kReadMarks + lock] == frame;
}

const volatile std::uint32_t* index_of(sqlite3_file* file) {
  volatile void* region = nullptr;
  if (file->pMethods->xShmMap(file, 0, kRegionBytes, 0, &region) != SQLITE_OK) return nullptr;
  return static_cast<const volatile std::uint32_t*>(region);
}

bool is_held(sqlite3_file* file, std::uint32_t lock) {
  const int at = kFirstReadLock + static_cast<int>(lock);
  const auto* methods = file->pMethods;
  const int rc = methods->xShmLock(file, at, 1, SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
  if (rc == SQLITE_OK) methods->xShmLock(file, at, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
  return (rc & 0xff) == SQLITE_BUSY;
}

const volatile std::uint32_t* index_of(Connection& db) {
  sqlite3_file* const file = file_of(db);
  return file ? index_of(file) : nullptr;
}

}  // namespace

NewestSnapshot NewestSnapshot::of(Connection& db) {
  NewestSnapshot out;
  const auto* const index = index_of(db);
  if (!index) return out;
  out.frame_ = index[kNewestFrame];
  for (std::uint32_t lock = 0; lock < kReadLocks; ++lock) {
    if (serves(index, lock, out.frame_)) out.locks_ |= 1u << lock;
  }
  return out;
}

bool NewestSnapshot::is_newest(Connection& db) const {
  const auto* const index = index_of(db);
  return !index || index[kNewestFrame] == frame_;
}

bool NewestSnapshot::is_read(Connection& db) const {
  if (locks_ == 0 || sqlite3_txn_state(db.handle(), nullptr) != SQLITE_TXN_NONE) return false;
  sqlite3_file* const file = file_of(db);
  const auto* const index = file ? index_of(file) : nullptr;
  for (std::uint32_t lock = 0; index && lock < kReadLocks; ++lock) {
    if ((locks_ & 1u << lock) == 0) continue;
    // By now it may be the lock of another snapshot.
    const bool still = lock == 0 ? serves(index, 0, index[kNewestFrame]) == is_newest(db)
                                 : serves(index, lock, frame_);
    if (still && is_held(file, lock)) return true;
  }
  return false;
}

}  // namespace mycelial::storage
