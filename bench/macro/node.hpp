// SPDX-License-Identifier: Apache-2.0
// A tracked file: an application's connection beside the Store that a node runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "macro/database.hpp"
#include "storage/store.hpp"

namespace mycelial::bench {

/// A unit as it travels.
struct Parcel {
  core::UnitRef unit;
  Bytes bytes;
};

class Node {
 public:
  /// Creates the file with table `t` and tracks it. `open` false leaves the file to other
  /// processes.
  Node(const std::string& path, Shape shape, bool keep_open = true);
  ~Node();

  Database& client() { return *client_; }
  storage::Store& store() { return *store_; }
  void seal();
  /// Every set of this site numbered from `first`.
  std::vector<Parcel> sets(std::uint64_t first = 1);
  /// Everything, as a peer without anything gets it.
  Parcel cut();
  void stage(const std::vector<Parcel>& parcels);
  void apply();
  std::uint64_t sealed() const;  ///< Number of the last set of this site.

 private:
  std::unique_ptr<Database> client_;
  std::unique_ptr<storage::Store> store_;
};

std::uint64_t bytes_of(const std::vector<Parcel>& parcels);
/// Removes a database and everything beside it.
void remove_database(const std::string& path);
/// Bytes of a database: the file and, if asked, the sets beside it.
std::uint64_t file_bytes(const std::string& path);
std::uint64_t beside_bytes(const std::string& path);

}  // namespace mycelial::bench
