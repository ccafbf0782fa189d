// SPDX-License-Identifier: Apache-2.0
// Files beside the database: `DB-mycelial` (lease and witness) and `DB-mycelial-units/` (large
// units: begun, kept for peers, or made for one). Losing them loses no row.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/exchange.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"

namespace mycelial::storage {

/// A file mapped read-only.
class MappedFile {
 public:
  static std::shared_ptr<MappedFile> open(const std::string& path);  ///< Null if absent.
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ByteView view() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile() = default;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Who serves the file, and proof that the file is not a copy: the nonce in the database must be
/// one that was written here, and the file must be the one it was written for.
class Witness {
 public:
  explicit Witness(const std::string& db_path);
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  /// Takes the lease until destruction. False: another holder; `holder` gets its process id.
  bool acquire(std::int64_t* holder);
  /// True if this file, at this place, was last written with this nonce.
  bool knows(ByteView nonce) const;
  /// Notes that the database is about to carry `next`; it may still carry `current` (empty: if it
  /// does not get `next`, it is a file that nobody knows).
  void note(ByteView current, ByteView next);
  /// The database carries `next` for good: a file with `current` is a copy from now on.
  void forget_nonce(ByteView current, ByteView next);
  void forget();  ///< Removes the file (untrack).

 private:
  std::string place() const;
  std::string path_, db_path_;
  int fd_ = -1;
};

/// Writes all of it at this place. Throws StorageError (io), which names `path`.
void write_all(int fd, ByteView bytes, std::uint64_t at, const std::string& path);

/// A folder of units by name.
class UnitFiles {
 public:
  explicit UnitFiles(std::string folder) : folder_(std::move(folder)) {}
  std::string path(const Hash& unit, const char* suffix = "") const;
  /// Durable when it returns, if `sync`. Throws StorageError (io).
  void save(const Hash& unit, ByteView bytes, bool sync) const;
  std::shared_ptr<MappedFile> map(const Hash& unit) const;
  void remove(const Hash& unit) const;
  void ensure() const;
  void remove_all() const;
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
};

/// A unit in the making, or a part of one, which may be larger than memory. Gone when destroyed,
/// unless it was kept. Functions throw StorageError (io).
class ScratchFile {
 public:
  /// One at a time of each name.
  ScratchFile(const UnitFiles& files, const std::string& name);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  void append(ByteView bytes);
  std::uint64_t size() const { return size_; }
  std::shared_ptr<MappedFile> map() const;
  void keep(const Hash& unit, bool sync);  ///< As UnitFiles::save(). Nothing can be done after it.

 private:
  const UnitFiles& files_;
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

/// Units on their way in. Small ones in memory; large ones in files, so that a unit may be larger
/// than memory and a restart goes on where it stopped.
class Staging {
 public:
  /// Bytes that units on their way in may still take of the drive.
  using Room = std::function<std::uint64_t()>;
  /// Finds what an earlier run had begun. Without `room`, all but a reserve for the application.
  explicit Staging(const UnitFiles& files, Room room = {});
  ~Staging();

  Status add(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes);
  std::vector<core::ByteRange> missing(const core::UnitRef& unit) const;
  std::vector<core::UnitRef> list() const;
  std::vector<core::UnitRef> whole() const;
  /// Those of whole() that nobody has checked: a reference says what a sender claims.
  std::vector<core::UnitRef> unchecked() const;
  /// The unit is what its reference says.
  void mark_checked(const Hash& unit);
  /// The bytes of a whole unit; valid while the result lives.
  struct View {
    ByteView bytes;
    std::shared_ptr<MappedFile> file;
  };
  View view(const Hash& unit) const;
  void drop(const Hash& unit);

 private:
  struct Unit;
  void begin(const core::UnitRef& unit);
  void save_ranges(Unit& unit);
  const UnitFiles& files_;
  const Room room_;
  std::map<Hash, std::unique_ptr<Unit>> units_;
  std::uint64_t bytes_ = 0;  ///< In memory.
  std::size_t ranges_ = 0;
};

}  // namespace mycelial::storage
