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

/// Sets held, by site.
using Seen = std::map<std::string, std::uint64_t>;

/// A node and an epoch: see Moment.
using File = std::pair<std::string, int>;

/// A moment in the life of a file: which file, and how far it had got.
struct Moment {
  std::string node;
  int epoch = 0;      ///< Grows when the file goes back to a backup.
  std::string site;   ///< Its site id then.
  std::string nonce;  ///< Renewed by whoever begins to serve it.
  Seen seen;
  bool captured = true;       ///< Its tables are tracked.
  std::uint64_t journal = 0;  ///< The last number in its journal.
  File file() const { return {node, epoch}; }
  std::uint64_t own() const {
    const auto at = seen.find(site);
    return at == seen.end() ? 0 : at->second;
  }
};

struct Dot {
  std::string site;
  std::uint64_t seq = 0;
  File file;  ///< From which the set was made.
};

/// A value in a cell.
struct Write {
  std::string value, table, column, key, node;
  std::uint64_t transaction = 0;
  std::vector<std::uint64_t> overwritten_by;  ///< Transactions whose authors had seen it.
  bool captured = false;                      ///< Written while the table was tracked.
};

/// What a transaction did to one row.
struct Effect {
  enum class Kind { birth, upsert, death, update } kind;
  std::string table, key, life;
};

struct Transaction {
  std::uint64_t number = 0;
  Moment when;
  std::vector<Effect> effects;
  std::vector<File> copies;  ///< Files copied while no set held it yet.
  bool lost = false;         ///< With the power; nobody had been promised otherwise.
};

using Images = std::map<std::string, Image>;  ///< By table.

class Ledger {
 public:
  /// A new value as an SQL literal; `any`: of any type, else text.
  std::string fresh(Random& random, bool any);
  /// A transaction that changed `before` into `after` was acknowledged. `moved`: rows changed keys.
  const Transaction& committed(Moment when, const Images& before, const Images& after, bool moved);
  /// The transaction deleted the row that hid these values; its author had seen them listed.
  void buried(const Transaction& t, const std::string& table, const std::set<std::string>& values);
  /// What was committed to the file so far survives a loss of power.
  void synced(const File& file) { safe_[file] = transactions_.size(); }
  /// The file lost power and is back at this moment: what came later has never been. Gives the
  /// number of a transaction that had to survive; 0 if all is well.
  std::uint64_t lost_power(const Moment& now);
  /// The file as it was then, when so many transactions had been made in all, lives on as another.
  void copied(const Moment& then, std::uint64_t transactions, const File& file);
  /// A file is about to be replaced; so far it had got.
  void ended(const Moment& last) { ends_[last.file()] = last; }
  /// The file of the node is again what it was after this many transactions of all.
  void rolled_back(const std::string& node, std::uint64_t transactions);
  /// An engine serves the file by this site id.
  void observed(const Moment& now);

  /// The sets that hold a transaction, of those that `all` covers; none if it got lost with its
  /// file.
  std::vector<Dot> dots(const Transaction& t, const Seen& all) const;
  const std::vector<Write>& writes() const { return writes_; }
  const std::vector<Transaction>& transactions() const { return transactions_; }
  bool knows(const std::string& table, const std::string& column, const std::string& value) const;
  /// Somebody upserted a row while it had this life.
  bool upserted(const std::string& life) const { return upserted_.contains(life); }
  /// Lives may have begun or ended here without a trace in the values.
  void doubt(const std::string& table, const std::string& key) {
    doubtful_.insert(table + " " + key);
  }
  bool doubtful(const std::string& table, const std::string& key) const {
    return doubtful_.contains(table + " " + key);
  }
  /// True for columns whose values are written once in a run.
  static bool is_tracked(const Table& table, const std::string& column);

 private:
  void compare(const Table& table, const std::string& key, const Row* before, const Row* after,
               Transaction& t);
  void wrote(const Table& table, const std::string& column, const std::string& key,
             const std::string& value, const Transaction& t);
  void overwrote(const Table& table, const std::string& column, const std::string& key,
                 const std::string& value, const Transaction& t);
  void overwrote_unseen(const Table& table, const std::string& key, const Transaction& t);
  void unwrite(const Transaction& t);

  std::uint64_t last_ = 0;
  std::vector<Write> writes_;
  std::vector<Transaction> transactions_;
  std::map<std::string, std::vector<std::size_t>> by_value_;  // index into writes_
  std::set<std::string> known_, upserted_, doubtful_;
  std::map<File, std::vector<std::string>> sites_;  // of a file, in order
  std::map<File, std::string> copied_nonce_;        // that the file was copied with
  std::map<File, Moment> ends_;
  std::map<File, std::uint64_t> safe_;  // its transactions up to here survive
};

}  // namespace mycelial::sim
