// SPDX-License-Identifier: Apache-2.0
// The disk of the simulator: files in memory, with what a loss of power would leave of them. Until
// a file is synced, each of its sectors holds after a loss what it held at the last sync, or what
// any write since gave it; its size, too, is one that it has had since. Names of files made or
// deleted without a sync of their folder may be as they were before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/locks.hpp"
#include "tests/sim/random.hpp"

namespace mycelial::sim {

class MemoryFile {
 public:
  static constexpr std::size_t kSector = 512;

  /// Bytes read; fewer at the end.
  std::size_t read(void* to, std::size_t bytes, std::uint64_t at) const;
  void write(const void* from, std::size_t bytes, std::uint64_t at);
  void resize(std::uint64_t bytes);
  void sync();
  std::uint64_t size() const { return data_.size(); }
  const std::string& data() const { return data_; }
  /// What `synced` holds is on the disk for good.
  void assign(std::string synced);

  void lose_power(Random& random);

  FileLocks locks;
  SharedMemory shared;

 private:
  void remember(std::uint64_t begin, std::uint64_t end);

  struct Version {
    std::uint64_t sector;
    std::array<char, kSector> bytes;
  };
  std::string data_;
  std::vector<Version> before_;       // of sectors written since the last sync, oldest first
  std::vector<std::uint64_t> sizes_;  // that it had since then, oldest first
};

using FilePtr = std::shared_ptr<MemoryFile>;

/// Files by name.
class Disk {
 public:
  FilePtr find(const std::string& name) const;
  /// Its name lasts once names are synced.
  FilePtr create(const std::string& name);
  void remove(const std::string& name);
  /// Whatever is or is not there by a name that begins so, that stays.
  void sync_names(const std::string& prefix);
  /// Copies contents as a reader finds them; a missing file is removed. The copy is synced.
  void copy(const std::string& from, const std::string& to);
  /// Power fails for all files whose names begin so, and comes back.
  void lose_power(const std::string& prefix, Random& random);
  void clear(const std::string& prefix);
  /// Writes the files out, for people to look at.
  void save(const std::string& prefix) const;

 private:
  using Names = std::map<std::string, FilePtr>;
  Names now_, lasting_;
  std::set<std::string> unsafe_;  // made or removed since their names were synced
};

/// The one of the process.
Disk& disk();

}  // namespace mycelial::sim
