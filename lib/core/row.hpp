// SPDX-License-Identifier: Apache-2.0
// Joining rows: births, deaths and cells. Pure; docs/merge.md is the case table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace mycelial::core {

/// Breaks ties between stamps of one time: the order of the sites' bytes, by Origin.
class Ranks {
 public:
  /// origins[i] is the stream that Origin i stands for.
  explicit Ranks(std::span<const Stream> origins);
  std::uint32_t of(Origin origin) const { return rank_[origin]; }
  const Site& site(Origin origin) const { return sites_[origin]; }

 private:
  std::vector<std::uint32_t> rank_;
  std::vector<Site> sites_;
};

/// Strict total order of stamps: (time, site, stream, seq).
bool stamp_less(const Stamp& a, const Stamp& b, const Ranks& ranks);

/// Last seq held, by Origin; origins beyond the end are held up to 0. The baseline (0) is never
/// covered: its deaths are explicit.
using Covered = std::span<const std::uint64_t>;

/// A version of a cell that a join dropped, and why.
struct Discarded {
  std::uint32_t column = 0;
  Value value;
  Mark carrier;
  Stamp stamp;
  bool died = false;  ///< Its row's births died; otherwise a later stamp superseded it.
};

/// Joins pieces of rows: commutative, associative, idempotent. Keeps its working memory from one
/// join to the next.
class RowJoiner {
 public:
  /// The rule: a birth that a side does not list is dead if that side covers it. Pass empty Covered
  /// for a side that is a change set or a fold (it speaks for itself only). `out` is neither x nor
  /// y; its memory is used again. `discarded`, if given, receives the versions that fell out.
  void join(const Row& x, const Row& y, Covered have_x, Covered have_y, const Ranks& ranks,
            Row& out, std::vector<Discarded>* discarded = nullptr);

 private:
  struct Version {  // of one column
    const Cell* cell;
    const Write* write;
  };
  static void drop(const Version& v, bool died, std::vector<Discarded>* discarded);
  bool find_dead(const Row& x, const Row& y, Covered have_x, Covered have_y, Marks& listed);
  void sort_versions(const Ranks& ranks);
  void join_column(const Ranks& ranks, std::vector<Discarded>* discarded);
  void join_registers(const Ranks& ranks, std::vector<Discarded>* discarded);
  void join_alike(const Ranks& ranks, std::vector<Discarded>* discarded);

  Marks dead_;  // births that are dead, of this join
  std::vector<Version> versions_, left_;
};

/// The same, for one join.
Row merge_rows(const Row& x, const Row& y, Covered have_x, Covered have_y, const Ranks& ranks,
               std::vector<Discarded>* discarded = nullptr);

/// Forgets of a row which of its births are dead and who killed them, if `floor` has all who did:
/// from there on silence says it. What is known of the baseline stays, for nobody covers that.
/// False: nothing to forget, or not yet. A row without births, deaths and cells need not be kept.
bool forget_deaths(Row& row, Covered floor);

/// Births not dead.
Marks alive(const Row& row);
bool is_alive(const Row& row);
/// The cell of this column with the greatest stamp, or null.
const Cell* winner(const Row& row, std::uint32_t column, const Ranks& ranks);
/// True if row.cells[i] is the winner of its column.
inline bool is_winner(const Row& row, std::size_t i, const Ranks& ranks) {
  const auto column = row.cells[i].column;
  const bool alone = (i == 0 || row.cells[i - 1].column != column) &&
                     (i + 1 == row.cells.size() || row.cells[i + 1].column != column);
  return alone || winner(row, column, ranks) == &row.cells[i];
}
/// The greatest stamp over these columns' winners (claim of a row in UNIQUE), zero if none.
Stamp claim(const Row& row, std::span<const std::uint32_t> columns, const Ranks& ranks);

/// What plain SQL did to one row between two seals.
struct LocalWrite {
  Mark dot;               ///< The set being sealed.
  bool shown = false;     ///< The row is in the table now.
  bool fresh = false;     ///< Inserted, deleted or re-keyed: nothing of the old life enters.
  bool upsert = false;    ///< Inserted over itself: adds a birth, carries the whole row.
  bool baseline = false;  ///< Found at track: birth (baseline, 1), stamp 0.
  Hlc time = 0;           ///< Stamp of columns not in `written` (the row's last entry).
  struct Written {
    std::uint32_t column = 0;
    Hlc time = 0;
    Value value;
    std::optional<Stamp> stamp = {};  ///< Instead of `time`: carried along as it was written.
  };
  std::vector<Written> written;  ///< Fresh or upsert: every column (an upsert's untouched columns
                                 ///< have time 0 and keep their old stamp). Else: those changed.
};

/// The piece that a change set carries for this row; joining it with `before` gives the row now.
/// A cell whose old stamp is beyond `w.time` is stamped just above it, so that the write wins.
/// An empty row (nothing to say: never seen and gone) is possible.
/// The first form writes into `piece`, whose memory is used again.
void local_piece(const Row& before, const LocalWrite& w, const Ranks& ranks, Row& piece);
Row local_piece(const Row& before, const LocalWrite& w, const Ranks& ranks);

}  // namespace mycelial::core
