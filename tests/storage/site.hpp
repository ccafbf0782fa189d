// SPDX-License-Identifier: Apache-2.0
// A database file with a Store and a plain SQLite client, for tests.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mycelial/environment.hpp"
#include "storage/store.hpp"

namespace mycelial::test {

class ManualClock final : public Clock {
 public:
  std::uint64_t monotonic_ms() noexcept override { return now; }
  std::uint64_t wall_ms() noexcept override { return now; }
  std::uint64_t now = 1'700'000'000'000;
};

class SeededEntropy final : public Entropy {
 public:
  void fill(void* out, std::size_t bytes) noexcept override;
  std::mt19937_64 random{1};
};

/// What every site of a test shares.
struct World {
  ManualClock clock;
  SeededEntropy entropy;
};

/// Rows of a table as text that tells every type and byte apart, sorted.
std::string dump_table(sqlite3* db, const std::string& table);

/// Runs a script statement by statement: result codes, changes(), and rows that it returned. Ends
/// a transaction that a failure left open.
std::string run_script(sqlite3* db, const std::string& script);

/// The bytes of a database file.
struct Image {
  std::string bytes;
};

enum class Restore {
  in_place,   ///< cp old.db live.db: the inode stays.
  by_rename,  ///< mv old.db live.db: another inode.
  by_backup,  ///< .restore in the shell: the backup API into the live file, while it is open.
};

class Site {
 public:
  Site(World& world, const std::string& name, const std::string& schema);
  /// A file with these bytes.
  Site(World& world, const std::string& name, const Image& image);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  /// Runs SQL as a plain client would; gives SQLite's result code.
  int sql(const std::string& text);
  /// Rows as text, values joined by |, rows by newline.
  std::string rows(const std::string& query);
  /// Every row of a table with types and exact bytes, in an order of their own.
  std::string dump(const std::string& table) { return dump_table(client_, table); }
  sqlite3* client() { return client_; }
  storage::Store& store() { return *store_; }
  /// `durable`: what is committed is on the disk.
  void open(storage::StoreOptions options = {}, bool durable = false);
  void close() { store_.reset(); }
  /// A copy of the file as it is, journal included. The store may be open.
  Image image();
  /// Puts a copy in the file's place while nobody has it open, and opens it again.
  void restore(const Image& image, Restore how);
  const std::string& path() const { return path_; }

 private:
  friend void must(Site& site, const std::string& sql);
  void place(const std::string& name);
  void connect();

  World& world_;
  std::string folder_, path_;
  sqlite3* client_ = nullptr;
  std::unique_ptr<storage::Store> store_;
};

/// Ten milliseconds later, a client's SQL that has to succeed.
void must(Site& site, const std::string& sql);

/// Carries everything that `to` lacks from `from`, as sets or as a cut.
enum class Carry { sets, cut };
Status carry(Site& from, Site& to, Carry how = Carry::sets);
/// Both get what the other one has, and what comes of that.
void exchange(Site& a, Site& b);

}  // namespace mycelial::test
