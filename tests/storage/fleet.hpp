// SPDX-License-Identifier: Apache-2.0
// Several sites of one schema, each with an oracle beside it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/storage/oracle.hpp"
#include "tests/storage/site.hpp"

namespace mycelial::test {

struct FleetOptions {
  std::string before_track;  ///< SQL that every client runs before the tables are tracked.
  std::string pragmas;       ///< Of every client.
  bool short_tail = false;   ///< No sets are kept that may be forgotten.
};

class Fleet {
 public:
  Fleet(std::size_t sites, const std::string& schema, const FleetOptions& options = {});

  Site& operator[](std::size_t i) { return *members_[i]->site; }
  std::size_t size() const { return members_.size(); }
  /// Plain SQL on one site; gives SQLite's result code.
  int sql(std::size_t i, const std::string& text) { return members_[i]->site->sql(text); }
  void seal(std::size_t i);
  /// Everything that `to` lacks.
  void send(std::size_t from, std::size_t to, Carry how = Carry::sets);
  /// Forgets whatever may be forgotten, waiting for nobody.
  void collect(std::size_t i);
  /// Some of the sets that `to` lacks, in any order.
  void send_some(std::size_t from, std::size_t to, std::mt19937& random);
  /// What is in a site's file now, and what its oracle knows.
  struct Snapshot {
    Image image;
    Oracle oracle;
  };
  Snapshot snapshot(std::size_t i);
  /// One more site, on a copy of a file; gives its number.
  std::size_t add(const Snapshot& snapshot);
  void restore(std::size_t i, const Snapshot& snapshot, Restore how);
  /// Until nobody has anything new.
  void exchange();
  /// The same; then everything must be equal, and as the oracles say.
  void meet();
  /// Seals and compares one site with its oracle. Empty if it is as it must be.
  std::string audit(std::size_t i);
  /// What went wrong so far.
  const std::string& trouble() const { return trouble_; }

  World world;

 private:
  struct Member {
    std::unique_ptr<Site> site;
    Oracle oracle;
  };
  /// Nothing if some of the sets are not in the tail.
  std::optional<std::vector<core::UnitRef>> lacking(std::size_t from, std::size_t to);
  void stage(std::size_t from, std::size_t to, const core::UnitRef& unit);
  void apply(std::size_t to);
  void catch_up(std::size_t i);
  void take(std::size_t i, const core::UnitRef& unit);
  void fail(std::size_t i, const std::string& what);
  bool took(std::size_t i, const std::string& doing, const Status& status);

  std::vector<std::unique_ptr<Member>> members_;
  std::map<Hash, Bytes> units_;
  std::string trouble_;
};

}  // namespace mycelial::test
