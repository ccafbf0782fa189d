// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/locks.hpp"

#include <sqlite3.h>

#include <algorithm>

namespace mycelial::sim {

bool FileLocks::lock(const void* holder, int& held, int level) {
  if (held >= level) return true;
  if (writer_ != nullptr && writer_ != holder && (pending_ || level > SQLITE_LOCK_SHARED)) {
    return false;
  }
  if (held == SQLITE_LOCK_NONE) {
    ++readers_;
    held = SQLITE_LOCK_SHARED;
  }
  if (level == SQLITE_LOCK_SHARED) return true;
  writer_ = holder;
  if (level == SQLITE_LOCK_EXCLUSIVE) {
    pending_ = true;
    held = SQLITE_LOCK_PENDING;
    if (readers_ > 1) return false;
  }
  held = level;
  return true;
}

void FileLocks::unlock(const void* holder, int& held, int level) {
  if (held <= level) return;
  if (writer_ == holder) {
    writer_ = nullptr;
    pending_ = false;
  }
  if (level == SQLITE_LOCK_NONE) --readers_;
  held = level;
}

/// The last one to leave takes the memory along: whoever comes next recovers it from the WAL.
void SharedMemory::detach(const void* holder) {
  unlock(holder, 0, kLocks);
  if (--users_ == 0) regions_.clear();
}

void* SharedMemory::region(std::size_t number, std::size_t bytes, bool extend) {
  if (!has(number) && !extend) return nullptr;
  while (!has(number)) regions_.push_back(std::make_unique<char[]>(bytes));
  return regions_[number].get();
}

bool SharedMemory::lock(const void* holder, int first, int count, bool exclusive) {
  for (int i = first; i < first + count; ++i) {
    const Slot& slot = slots_[static_cast<std::size_t>(i)];
    const bool written = slot.writer != nullptr && slot.writer != holder;
    const bool read = std::any_of(slot.readers.begin(), slot.readers.end(),
                                  [&](const void* reader) { return reader != holder; });
    if (written || (exclusive && read)) return false;
  }
  for (int i = first; i < first + count; ++i) {
    Slot& slot = slots_[static_cast<std::size_t>(i)];
    if (exclusive) {
      slot.writer = holder;
    } else if (std::find(slot.readers.begin(), slot.readers.end(), holder) == slot.readers.end()) {
      slot.readers.push_back(holder);
    }
  }
  return true;
}

void SharedMemory::unlock(const void* holder, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    Slot& slot = slots_[static_cast<std::size_t>(i)];
    if (slot.writer == holder) slot.writer = nullptr;
    std::erase(slot.readers, holder);
  }
}

}  // namespace mycelial::sim
