// SPDX-License-Identifier: Apache-2.0
// Ledger: what applications wrote and were told is committed. Every value is written once in a run,
// so a value found anywhere says who wrote it, where and when.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/random.hpp"
#include "tests/sim/sql.hpp"

namespace mycelial::sim {

/// How far an application's file had got when it committed: what it had seen, by site.
using Seen = std::map<std::string, std::uint64_t>;

/// A value in a cell.
struct Write {
  std::string value, table, column, key, node;
  std::uint64_t transaction = 0;
  bool overwritten = false;  ///< By somebody who had seen it.
  bool captured = false;     ///< Written while the table was tracked.
};

/// What a transaction did to one row.
struct Effect {
  enum class Kind { birth, upsert, death, update } kind;
  std::string table, key, life;
};

struct Transaction {
  std::uint64_t number = 0;
  std::string node;
  Seen seen;
  bool captured = false;
  std::vector<Effect> effects;
};

using Images = std::map<std::string, Image>;  ///< By table.

class Ledger {
 public:
  /// A new value as an SQL literal; `any`: of any type, else text.
  std::string fresh(Random& random, bool any);
  /// A transaction that changed `before` into `after` was acknowledged.
  const Transaction& committed(const std::string& node, const Images& before, const Images& after,
                               Seen seen, bool captured);
  /// Somebody who had seen these values listed deleted the row that hid them.
  void buried(const std::string& table, const std::set<std::string>& values);
  /// The file of the node is again what it was after this many transactions of all.
  void rolled_back(const std::string& node, std::uint64_t transactions);
  const std::vector<Write>& writes() const { return writes_; }
  const std::vector<Transaction>& transactions() const { return transactions_; }
  bool knows(const std::string& table, const std::string& column, const std::string& value) const;
  /// Somebody upserted a row while it had this life.
  bool upserted(const std::string& life) const { return upserted_.contains(life); }
  /// True for columns whose values are written once in a run.
  static bool is_tracked(const Table& table, const std::string& column);

 private:
  void compare(const Table& table, const std::string& key, const Row* before, const Row* after,
               Transaction& t);
  void wrote(const Table& table, const std::string& column, const std::string& key,
             const std::string& value, const Transaction& t);
  void overwrote(const Table& table, const std::string& column, const std::string& key,
                 const std::string& value);

  std::uint64_t last_ = 0;
  std::vector<Write> writes_;
  std::vector<Transaction> transactions_;
  std::map<std::string, std::vector<std::size_t>> by_value_;  // index into writes_
  std::set<std::string> known_, upserted_;
};

}  // namespace mycelial::sim
