// SPDX-License-Identifier: Apache-2.0
// Capture: plain-SQL triggers that append what any SQLite client does to mycelial_journal. The
// triggers use SQLite built-ins only, so the writer needs nothing of ours.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/names.hpp"

namespace mycelial::storage {

/// What a journal entry says.
enum class Op : std::uint8_t {
  insert = 1,  ///< A row appeared at `row` (rowid), or under `key` (WITHOUT ROWID).
  update = 2,  ///< Columns in `mask` of the row changed; its key did not.
  remove = 3,  ///< The row died; `row` and the OLD key say which.
  in_the_way =
      4,  ///< An INSERT or UPDATE found this row holding a value that it wants: the row dies
          ///< if the statement replaced it, is upserted if an update follows, else nothing.
  automatic = 5,  ///< The insert that follows had its INTEGER PRIMARY KEY picked by SQLite, or
                  ///< gave -1; then it may have found row -1 in the way.
  rekey = 6,  ///< The declared key of the row at `row` changed; `key` is the OLD one. Columns in
              ///< `mask` changed. (integer_key and without_rowid tables: remove + insert instead.)
};

/// Changed columns, by stable column id.
class ColumnMask {
 public:
  void set(std::uint32_t column_id);
  bool test(std::uint32_t column_id) const;
  void merge(const ColumnMask& other);
  bool any() const;

 private:
  std::vector<std::uint64_t> words_;
};

struct JournalEntry {
  std::uint64_t number = 0;  ///< Never given twice in one file: trimming keeps the last one.
  std::uint32_t table = 0;   ///< TableInfo::id
  Op op = Op::insert;
  std::int64_t row = 0;          ///< rowid; 0 for WITHOUT ROWID tables.
  std::vector<core::Value> key;  ///< Where the op says so; views die when the callback returns.
  ColumnMask mask;           ///< update, rekey. Empty on update: a column that the trigger did not
                             ///< know changed (or nothing did).
  std::uint64_t ms = 0;      ///< Wall clock of the statement, ms since 1970; 0 for in_the_way and
                             ///< automatic.
  std::uint32_t random = 0;  ///< Where the row's identity is ours (keyless, automatic, NULL key).
};

/// Creates mycelial_journal, mycelial_table, mycelial_column (idempotent).
void create_capture_tables(Connection& db);

/// Puts a table under capture: gives it an id, its columns stable ids, creates the triggers (and,
/// for a keyless table without index, the empty partial index that keeps VACUUM from renumbering
/// rowids). Idempotent; refreshes triggers whose columns are out of date. Inside a transaction.
struct Armed {
  TableInfo table;
  Numbering columns;
  /// Its triggers were gone: it has been made anew, or nobody knows what happened. What it was.
  std::optional<TableKind> was;
  std::optional<TableMove> moved;  ///< Rows of peers that were known under a name it has now.
};
/// `id`: of a table that is tracked already, whatever it was called; 0: a new one.
Armed arm(Connection& db, const std::string& name, std::uint32_t id);
/// Removes the triggers for as long as the table is altered; arm() makes them anew.
void drop_triggers(Connection& db, std::uint32_t id);
/// Removes triggers and index; the table's ids stay until drop_capture_tables.
void disarm(Connection& db, std::uint32_t id);
/// Removes everything that create_capture_tables and arm made.
void drop_capture_tables(Connection& db);

/// Tracked tables as they are now (columns with stable ids), under the names that they have now:
/// triggers stay with a table that is renamed, and their names have its number. A column that is
/// new since arm() gets an id here; the caller arms again. A tracked table that is gone is left
/// out.
std::vector<TableInfo> tracked_tables(Connection& db);
/// Tracked tables that are not there, and their names.
std::map<std::uint32_t, std::string> missing_tables(Connection& db);
/// True when triggers are missing or do not fit the table's columns, indexes or key any more.
bool needs_arming(Connection& db, const TableInfo& table);

/// Calls f for every entry numbered above `after`, in order.
void read_journal(Connection& db, std::uint64_t after,
                  const std::function<void(const JournalEntry&)>& f);
/// Entries that nobody has sealed, at most `limit` counted.
std::uint64_t count_journal(Connection& db, std::uint64_t limit);
/// Deletes all entries; `last` is the number of the last one. Its number stays, so that the next
/// entry gets a higher one: AUTOINCREMENT would do that at the price of another page for every
/// transaction of the application. Inside the write transaction that read them.
void clear_journal(Connection& db, std::uint64_t last);

}  // namespace mycelial::storage
