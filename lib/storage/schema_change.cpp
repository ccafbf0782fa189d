// SPDX-License-Identifier: Apache-2.0
// ALTER TABLE and the like, by anybody: noticed by PRAGMA schema_version. Triggers are made to fit;
// what capture could not see meanwhile is sealed; what peers sent for columns that were missing
// appears.
#include <fmt/format.h>

#include <algorithm>

#include "storage/applier.hpp"
#include "storage/store_impl.hpp"
#include "storage/triggers.hpp"

namespace mycelial::storage {

using Type = core::Value::Type;

TableIo* StoreImpl::table(std::uint32_t id) {
  const auto it = tables_.find(id);
  return it == tables_.end() ? nullptr : it->second.get();
}

void StoreImpl::load_tables() {
  references_.reset();
  tables_.clear();
  std::vector<std::string> names;
  for (auto& info : tracked_tables(db_)) {
    const auto id = info.id;
    names.push_back(info.name);
    tables_[id] = std::make_unique<TableIo>(db_, app_triggers_, std::move(info));
    tables_[id]->set_policies(table_policies(db_, tables_[id]->info(), options_.mergers));
  }
  app_triggers_.refresh(names);
}

/// After a change of ours to the schema.
void StoreImpl::reload_tables() {
  load_tables();
  schema_version_ = db_.integer("PRAGMA schema_version");
}

void StoreImpl::rearm_if_schema_changed(bool may_write) {
  const auto version = db_.integer("PRAGMA schema_version");
  if (version == schema_version_) return;
  arming_due_ = false;
  load_tables();
  if (await_missing(may_write)) return;
  std::map<std::uint32_t, std::string> stale;
  for (const auto& [id, io] : tables_) {
    if (needs_arming(db_, io->info())) stale[id] = io->info().name;
  }
  arming_due_ |= !stale.empty();
  if (!may_write || stale.empty()) {
    if (!arming_due_) schema_version_ = version;
    return;
  }
  for (const auto& [id, name] : stale) {
    if (const auto why = refusal(db_, name); !why.empty()) {
      notes_.insert(fmt::format("{} is no longer tracked: {}", name, why));
      disarm(db_, id);
      continue;
    }
    const auto armed = arm(db_, name, id);
    if (armed.was) rebuilt_[id] = *armed.was;
    if (armed.moved) renamed_.push_back(*armed.moved);
    auto& moved = rearmed_[id];
    moved.insert(moved.end(), armed.columns.moved.begin(), armed.columns.moved.end());
    for (const auto column : armed.columns.added) unwatched_[id].set(column);
  }
  reload_tables();
  arming_due_ = false;
}

/// A table is not there while it is rebuilt, if DROP and RENAME are not one transaction. Waits for
/// a moment: then it has been dropped. True: do nothing yet.
bool StoreImpl::await_missing(bool may_write) {
  constexpr std::uint64_t kRebuildMs = 3000;
  const auto missing = missing_tables(db_);
  std::erase_if(gone_, [&](const auto& g) { return !missing.contains(g.first); });
  const auto now = options_.clock->monotonic_ms();
  for (const auto& [id, name] : missing) {
    if (untracking_all_) {
      forget(id);
      continue;
    }
    const auto since = gone_.try_emplace(id, now).first->second;
    if (now - since >= kRebuildMs && !may_write) {
      arming_due_ = true;
      continue;
    }
    if (now - since < kRebuildMs && !may_write) return true;
    if (now - since < kRebuildMs) {
      throw StorageError(Errc::busy, name + " is not there: dropped, or being rebuilt just now");
    }
    notes_.insert(name + " is no longer tracked: it was dropped here; peers keep its rows");
    forget(id);
    gone_.erase(id);
  }
  return false;
}

/// The table is not tracked any more, and its rows are gone from here: peers will not send again
/// what we said that we hold.
void StoreImpl::forget(std::uint32_t id) {
  Statement rows(db_, "SELECT 1 FROM mycelial_row WHERE tbl = ?1 AND status = 0");
  bool had_rows = rows.bind(1, id).step();
  rows.reset();
  segments_->for_each(id, [&](const RowEntry&) { return !(had_rows = true); });
  if (had_rows) meta_.set(dropped_key(id), core::Value::of(1));
  Statement(db_, "DELETE FROM mycelial_row WHERE tbl = ?1 AND status = 0").bind(1, id).run();
  Statement(
      db_, "UPDATE mycelial_row SET status = 3, blocker = NULL WHERE tbl = ?1 AND status IN (2, 4)")
      .bind(1, id)
      .run();
  untrack_one(id);
  reload_tables();
}

namespace {

/// Whether a table should show a row, by rowid; none: the journal leaves that open.
using Places = std::map<std::int64_t, std::optional<bool>>;

Places places_in_journal(Connection& db, std::uint32_t table) {
  Places out;
  read_journal(db, 0, [&](const JournalEntry& e) {
    if (e.table != table || e.op == Op::automatic) return;
    auto& place = out[e.row];
    place = e.op != Op::remove;
    if (e.op == Op::in_the_way) place = std::nullopt;
  });
  return out;
}

/// The last row that the table should show, where that is clear.
std::optional<std::int64_t> last_of(const Places& journal, std::int64_t booked) {
  for (auto it = journal.rbegin(); it != journal.rend() && it->first >= booked; ++it) {
    if (!it->second || (it->first == booked && !*it->second)) return std::nullopt;
    if (*it->second) return it->first;
  }
  return booked;
}

bool are_there(Connection& db, const TableInfo& info, const Places& places) {
  Statement rows(
      db, fmt::format("SELECT {0} FROM {1} ORDER BY {0}", rowid_name(info), quote_name(info.name)));
  const auto may_lack = [](const auto& place) { return !place.second.value_or(false); };
  auto next = places.begin();
  for (; rows.step(); ++next) {
    while (next != places.end() && next->first < rows.integer(0) && may_lack(*next)) ++next;
    if (next == places.end() || next->first != rows.integer(0)) return false;
    if (!next->second.value_or(true)) return false;
  }
  return std::all_of(next, places.end(), may_lack);
}

}  // namespace

/// A file made from .dump has other rowids where these are not the key: its rows are found again as
/// those of a rebuilt table.
void StoreImpl::notice_new_rowids() {
  const bool pending = count_journal(db_, 1) != 0;
  for (const auto& [id, io] : tables_) {
    const auto& info = io->info();
    if (!io->has_rowid() || info.kind == TableKind::integer_key) continue;
    Places places = pending ? places_in_journal(db_, id) : Places();
    // New numbers have no gaps: they are the old ones, or the last one is another.
    if (last_of(places, segments_->last(id).value_or(0)) == io->max_rowid()) continue;
    segments_->for_each(id, [&](const RowEntry& e) {
      places.try_emplace(e.rowid, true);
      return true;
    });
    if (are_there(db_, info, places)) continue;
    rebuilt_[id] = info.kind;
    rearmed_[id];
  }
}

/// The second half, once the identity is sure: local writes first.
void StoreImpl::finish_rearming() {
  if (rearmed_.empty()) return;
  seal_journal();
  unwatched_.clear();
  for (const auto id : std::exchange(dropped_, {})) {
    notes_.insert(
        table(id)->info().name +
        " is another table than the one that was tracked; track it if peers should have it");
    forget(id);
  }
  for (const auto& [id, moved] : rearmed_) {
    if (TableIo* io = table(id)) Applier(*this).reveal(*io, moved);
  }
  rearmed_.clear();
  for (const auto& move : std::exchange(renamed_, {})) Applier(*this).adopt(move);
}

/// Cells of column `from` become cells of column `to`; false: there are none. A value that only the
/// table held is gone.
bool StoreImpl::move_cells(core::Row& row, const ColumnMoves& moves) {
  bool out = false;
  for (const auto& move : moves) {
    const auto from = move.first, to = move.second;
    const bool any =
        std::ranges::any_of(row.cells, [&](const auto& c) { return c.column == from; });
    if (!any) continue;
    out = true;
    std::erase_if(row.cells, [&](const core::Cell& c) {
      return c.column == from && c.value.type == Type::in_table;
    });
    for (auto& c : row.cells) c.column = c.column == from ? to : c.column;
    std::ranges::stable_sort(row.cells, {}, &core::Cell::column);
  }
  return out;
}

/// What peers said of columns that this table lacked was kept with the rows. True if the row has
/// something that the table can show now.
bool Applier::is_hiding(const TableIo& io, const ColumnMoves& moved, core::Row& row) {
  bool out = StoreImpl::move_cells(row, moved);
  if (out) {
    joiner_.join(row, {}, {}, {}, s_.meta_.ranks(), merged_);  // one column may have been two
    std::swap(row, merged_);
  }
  for (std::size_t i = 0; i < row.cells.size() && !out; ++i) {
    out = row.cells[i].value.type != Type::in_table && io.position_of(row.cells[i].column) &&
          core::is_winner(row, i, s_.meta_.ranks());
  }
  return out;
}

/// A peer's rows of a table that turns out to be one of ours, or another one of theirs.
void Applier::adopt(const TableMove& move) {
  Target t;
  t.id = move.to;
  t.io = s_.table(move.to);
  std::vector<std::uint32_t> places;
  for (const auto& [column, name] : column_names(s_.db_, move.from)) {
    places.resize(column + 1);
    places[column] = column_numbers(s_.db_, move.to, {name}).front();
  }
  std::vector<core::Identity> rows;
  {
    Statement list(s_.db_, "SELECT ident FROM mycelial_row WHERE tbl = ?1");
    list.bind(1, move.from);
    while (list.step()) rows.emplace_back(list.blob(0));
  }
  joins_own_ = true;
  for (const auto& identity : rows) {
    const auto at = s_.find_row(move.from, nullptr, identity);
    auto row = s_.unpack(at, nullptr);
    for (auto& cell : row.cells) cell.column = places.at(cell.column);
    std::ranges::stable_sort(row.cells, {}, &core::Cell::column);
    join(t, identity, row);
  }
  joins_own_ = false;
  for (const char* sql :
       {"DELETE FROM mycelial_row WHERE tbl = ?1", "DELETE FROM mycelial_claim WHERE tbl = ?1"}) {
    Statement(s_.db_, sql).bind(1, move.from).run();
  }
  s_.list_changes();
  Statement(s_.db_, "UPDATE mycelial_conflict SET tbl = ?2 WHERE tbl = ?1")
      .bind(1, move.from)
      .bind(2, move.to)
      .run();
  move_policies(s_.db_, move.from, move.to, places);
  Statement(s_.db_, "UPDATE OR REPLACE mycelial_grave SET tbl = ?2 WHERE tbl = ?1")
      .bind(1, move.from)
      .bind(2, move.to)
      .run();
  s_.graves_known_.clear();
  merge_numbers(s_.db_, move);
  if (t.io) s_.adopt_policies(*t.io);
  if (t.changed) s_.changed_tables_.insert(t.io->info().name);
  for (const auto& [table, contested] : contested_) s_.settle(table, contested);
}

void Applier::reveal(TableIo& io, const ColumnMoves& moved) {
  Target t;
  t.id = io.info().id;
  t.io = &io;
  std::set<core::Identity> rows, placed_anew;
  s_.segments_->for_each(t.id, [&](const RowEntry& e) {
    unpack_row(e.state, io.columns(), old_);
    if (!is_hiding(io, moved, old_)) return true;
    const auto values = io.read({e.rowid, {}});
    if (e.hidden) {
      rows.insert(s_.wire_identity(*e.hidden));
    } else if (values) {
      rows.insert(io.key_of(*values).value_or(core::Identity()));
    }
    io.release();
    return true;
  });
  {
    Statement list(s_.db_, "SELECT ident, status FROM mycelial_row WHERE tbl = ?1");
    list.bind(1, t.id);
    while (list.step()) {
      const auto status = static_cast<RowStatus>(list.integer(1));
      const bool again = status == RowStatus::hidden || status == RowStatus::broken;
      (again ? placed_anew : rows).emplace(list.blob(0));
    }
  }
  for (const auto& identity : rows) {
    kept_.clear();
    s_.find_row(t.id, &io, identity, before_);
    s_.unpack(before_, &io, old_);
    if (!is_hiding(io, moved, old_)) continue;
    if (before_.shown()) {
      std::swap(merged_, old_);
      show(t, identity, before_, merged_);
    } else {
      s_.put_record(t.id, identity, before_.status, old_);
    }
  }
  for (const auto& identity : placed_anew) {  // other indexes and constraints, other claims
    s_.find_record(t.id, identity, before_);
    s_.unpack(before_, nullptr, old_);
    StoreImpl::move_cells(old_, moved);
    joiner_.join(old_, {}, {}, {}, s_.meta_.ranks(), merged_);
    s_.put_hidden(io, identity, RowStatus::hidden, merged_, {});
  }
  contest(t, std::move(placed_anew));
  for (const auto& [table, contested] : contested_) s_.settle(table, contested);
}

}  // namespace mycelial::storage
