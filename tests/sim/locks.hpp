// SPDX-License-Identifier: Apache-2.0
// The locks and the shared memory of a file, as SQLite's VFS has them, between the connections of
// one process. A holder is any address that tells two connections apart.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace mycelial::sim {

/// SQLITE_LOCK_NONE to SQLITE_LOCK_EXCLUSIVE.
class FileLocks {
 public:
  /// Raises `held`, the holder's level so far. False: somebody is in the way.
  bool lock(const void* holder, int& held, int level);
  void unlock(const void* holder, int& held, int level);
  bool reserved() const { return writer_ != nullptr; }

 private:
  int readers_ = 0;
  const void* writer_ = nullptr;  // reserved or more
  bool pending_ = false;          // no new readers
};

/// The WAL index: its memory and its eight locks.
class SharedMemory {
 public:
  static constexpr int kLocks = 8;

  void attach() { ++users_; }
  void detach(const void* holder);
  /// Null if the region is not there and shall not be made.
  void* region(std::size_t number, std::size_t bytes, bool extend);
  bool has(std::size_t number) const { return number < regions_.size(); }
  bool lock(const void* holder, int first, int count, bool exclusive);
  void unlock(const void* holder, int first, int count);

 private:
  struct Slot {
    std::vector<const void*> readers;
    const void* writer = nullptr;
  };
  int users_ = 0;
  std::vector<std::unique_ptr<char[]>> regions_;
  std::array<Slot, kLocks> slots_;
};

}  // namespace mycelial::sim
