// SPDX-License-Identifier: Apache-2.0
// A database that is attacked: tables of every kind, some rows of its own and some of a peer.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <random>
#include <string>

#include "mycelial/environment.hpp"
#include "storage/store.hpp"

namespace mycelial::fuzz {

class World final : public Clock, public Entropy {
 public:
  std::uint64_t monotonic_ms() noexcept override { return kNow; }
  std::uint64_t wall_ms() noexcept override { return kNow; }
  void fill(void* out, std::size_t bytes) noexcept override;

 private:
  static constexpr std::uint64_t kNow = 1'700'000'000'000;
  std::mt19937_64 random_{1};
};

/// A new folder for files; ends the process if there is none to be had.
std::string fresh_folder();
/// A store on a throw-away file.
std::unique_ptr<storage::Store> open_store(const std::string& path, World& world);

class Victim {
 public:
  explicit Victim(World& world);
  ~Victim();
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  void sql(const std::string& text);
  storage::Store& store() { return *store_; }
  /// Everything that sqlite3's shell would show of the application's tables.
  std::string dump();

 private:
  std::string folder_;
  sqlite3* client_ = nullptr;
  std::unique_ptr<storage::Store> store_;
};

extern const char* const kTables;  ///< The victim's schema.
extern const char* const kRows;    ///< Writes that fill it.

}  // namespace mycelial::fuzz
