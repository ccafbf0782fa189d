// SPDX-License-Identifier: Apache-2.0
// A small world in which the laws of merging are checked: plain SQL on a table of two columns,
// journals, sealed sets, folds, cuts and collection, over core::local_piece and core::merge_rows.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/hybrid_clock.hpp"
#include "core/row.hpp"

namespace mycelial::core::testing {

/// Mistakes that an implementation could make. The harness makes them on purpose, by changing what
/// goes into or comes out of the code under test, to show that the laws would notice.
enum class Fault {
  none,
  ignores_have,       // a side that covers a birth and does not list it says nothing
  arrival_wins,       // the value that arrives last is shown, whatever its stamp
  no_gate,            // a set is applied before what its author had seen
  fold_first,         // a fold keeps only the first of several pieces of a row
  fold_any,           // windows of a fold ignore what lies between
  thin_rebase,        // whoever is below the floor gets only what changed
  seal_after,         // local writes are sealed after remote ones are applied
  no_bump,            // a write below the stamp that it overwrites keeps its own time
  baseline_born,      // rows found at track get a birth of their own on each site
  no_image,           // an upsert does not carry the columns that it did not change
  old_life,           // values of a dead birth go on in the row's new life
  upsert_no_birth,    // an upsert adds no birth
  collects_baseline,  // deaths of baseline rows are forgotten too
  no_floor,           // deaths are forgotten, and cuts go on to list only what changed
  drops_floor,        // whoever was re-based goes on to make cuts that list only what changed
  shared_site,        // a copied file goes on under the original's site id
  update_revives,     // an update makes a birth
};

using Column = std::uint32_t;
constexpr Column kA = 0, kB = 1;
constexpr Column kColumns = 2;

/// (0, k): the row of declared key k. (site, n): a row without a key.
using RowName = std::pair<std::uint32_t, std::int64_t>;
using Values = std::array<std::int64_t, kColumns>;
using Table = std::map<RowName, Values>;
using Rows = std::map<RowName, Row>;
using Seen = std::vector<std::uint64_t>;  ///< Last seq by Origin.

bool covers(const Seen& seen, const Mark& dot);
void join(Seen& into, const Seen& other);

enum class Verb : std::uint8_t { insert, update, upsert, remove, leave /* re-keyed or replaced */ };

struct Entry {  ///< Of a journal.
  Verb verb = Verb::insert;
  RowName row;
  std::map<Column, std::int64_t> typed;  ///< What the statement wrote.
  std::uint64_t written_ms = 0;
};

/// A sealed set, or a fold of several.
struct ChangeSet {
  std::map<Origin, std::pair<std::uint64_t, std::uint64_t>> ranges;  // first, last
  Seen context;  // what its author had, its own sets included
  Rows rows;
  bool baseline = false;
  std::vector<Entry> journal;  // of a sealed set: what plain SQL did
  std::set<RowName> shown;     // and which of those rows are in the table
  Mark dot() const { return {ranges.begin()->first, ranges.begin()->second.second}; }
};

struct Cut {
  Seen have, floor;
  Rows rows;
  bool full = false;
};

using History = std::map<Mark, ChangeSet>;

struct World {
  explicit World(std::uint32_t sites, Fault planted = Fault::none);
  std::vector<Stream> streams;  ///< By Origin; sorted against the numbers, so that ranks matter.
  Ranks ranks;
  Fault fault;
  std::uint64_t clock_ms = 1'000'000'000;
  std::int64_t keyless = 0;  ///< Names rows without a key.
};

class Replica {
 public:
  Replica(World& world, Origin site, std::int64_t skew_ms = 0)
      : world_(&world), site_(site), label_(site), skew_ms_(skew_ms) {}

  // Plain SQL. False: no effect (the row is missing, or in the way).
  bool insert(std::int64_t key, std::int64_t value);
  bool insert_keyless(std::int64_t value);
  bool replace(std::int64_t key, std::int64_t value);
  bool upsert(std::int64_t key, std::int64_t value);
  bool update(const RowName& row, Column column, std::int64_t value);
  bool remove(const RowName& row);
  bool rekey(std::int64_t from, std::int64_t to);
  bool swap_keys(std::int64_t one, std::int64_t other);

  std::optional<ChangeSet> seal(bool baseline = false);
  /// False: not yet, something that its author had seen is missing.
  bool apply(const ChangeSet& set);
  Cut cut(const Seen& peer);
  void apply_cut(const Cut& cut);
  /// Forgets deaths: all that it has, or those by sets that are said to be held by all.
  void collect(const Seen* held_by_all = nullptr);
  /// What opening a copy of the file does. Its first seal happens under the old label.
  Replica copy_as(Origin site) const;
  /// The same file served by another member of the fleet (for observers that never write).
  void move_to(Origin site, std::int64_t skew_ms);

  Origin site() const { return site_; }
  const Seen& have() const { return have_; }
  const Rows& rows() const { return rows_; }
  const Table& table() const { return table_; }
  const std::vector<ChangeSet>& tail() const { return tail_; }
  bool pending() const { return !journal_.empty(); }
  /// Updates that died by a delete whose author had not seen them: (row, column, set).
  const std::set<std::tuple<RowName, Column, Mark>>& lost() const { return lost_; }

 private:
  std::uint64_t now() { return world_->clock_ms + static_cast<std::uint64_t>(skew_ms_); }
  void note(Verb verb, const RowName& row, std::map<Column, std::int64_t> typed = {});
  Row piece_of(const RowName& name, const std::vector<std::pair<const Entry*, Hlc>>& entries,
               const Mark& dot, bool baseline);
  void take(const Rows& rows, const Seen& have_theirs, const Seen* author_saw);
  void show(const RowName& name, const Row& row);

  World* world_;
  Origin site_, label_;
  std::int64_t skew_ms_;
  HybridClock clock_{0};
  Seen have_, floor_;
  Rows rows_;
  Table table_;
  std::vector<Entry> journal_;
  std::vector<ChangeSet> tail_;
  std::set<std::tuple<RowName, Column, Mark>> lost_;
};

/// The join of two rows as the world's implementation does it: the code under test, unless a fault
/// is planted.
Row join_rows(const World& world, const Row& x, const Row& y, const Seen& have_x,
              const Seen& have_y, std::vector<Discarded>* discarded = nullptr);

/// What rows say, without what may differ between replicas that agree: which births that never were
/// are marked dead depends on the way that things came.
Rows essence(const Rows& rows);

/// Several sets, in an order in which they could be applied, as one.
ChangeSet fold(const World& world, const std::vector<const ChangeSet*>& sets);
/// Which sets of a backlog, in an order of applying, may fold: a set joins a run of its stream only
/// if everything it depends on comes before the first of the run.
std::vector<std::vector<const ChangeSet*>> windows(const World& world,
                                                   const std::vector<const ChangeSet*>& backlog);

// ---- meaning, straight from the history: no have, floor, pruning, fold or cut -------------------

/// The table that these sets mean.
Table meaning(const World& world, const std::vector<const ChangeSet*>& sets);
/// What the applications may rely on, from what they wrote: nothing lost, nothing resurrected.
/// Gives a complaint, or nothing.
std::string complaint(const World& world, const std::vector<const ChangeSet*>& sets);

std::string describe(const Table& table);

}  // namespace mycelial::core::testing
