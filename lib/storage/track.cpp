// SPDX-License-Identifier: Apache-2.0
// Tracking: arming capture, the baseline, parked rows.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "storage/sealer.hpp"
#include "storage/triggers.hpp"

namespace mycelial::storage {

using Type = core::Value::Type;

namespace {

/// Why the name stands for another table, to peers or to us.
std::string taken(Connection& db, const std::string& name) {
  const auto id = find_table(db, name);
  if (!id) return {};
  Statement dropped(db, "SELECT 1 FROM mycelial_meta WHERE key = ?1");
  if (dropped.bind_text(1, dropped_key(*id)).step()) {
    return fmt::format(
        "{} was dropped here while it was tracked, so its rows are not here any more; begin with a "
        "copy of a peer's file, or give the new table another name",
        name);
  }
  for (const auto& t : tracked_tables(db)) {
    if (t.id != *id || sqlite3_stricmp(t.name.c_str(), name.c_str()) == 0) continue;
    return fmt::format(
        "{} is the name that peers know {} by, which has been renamed; give the new table "
        "another name",
        name, t.name);
  }
  return {};
}

}  // namespace

Status StoreImpl::track(const std::string& name) {
  arm_if_due();  // it may not be the table any more that was tracked under this name
  std::string why;
  Status looked = guard([&] {
    why = refusal(db_, name);
    if (why.empty() && Meta::exists(db_)) why = taken(db_, name);
  });
  if (looked.code() == Errc::not_found || why.starts_with("no such table")) {
    return {Errc::not_found,
            fmt::format("{} in {}", why.empty() ? std::string(looked.message()) : why, path_)};
  }
  if (!looked.ok()) return looked;
  if (!why.empty()) return {Errc::schema, why};
  bool known = false;
  Status status = read_only([&] { known = Meta::exists(db_) && tracked_here(name); });
  if (!status.ok() || known) return status;
  status = write([&] { track_these({name}); });
  if (status.ok()) enable_wal();
  return status;
}

/// In WAL mode readers and the engine do not block each other. untrack restores the old mode.
void StoreImpl::enable_wal() {
  (void)guard([&] {
    const auto mode = db_.text("PRAGMA journal_mode");
    if (mode == "wal") return;
    meta_.set("journal_mode", core::Value::text(mode));
    db_.exec("PRAGMA journal_mode = WAL");
  });
}

/// Why `track --all` leaves the table alone; empty: it does not.
std::string StoreImpl::why_left_out(const std::string& name) {
  auto why = refusal(db_, name);
  const bool any = Meta::exists(db_);
  if (!why.empty() || (any && tracked_here(name))) return why;
  if (any) why = taken(db_, name);
  if (why.empty() && keeps_schema_version(name)) {
    why = name + " says which migrations this file has seen; track it by name if it shall travel";
  }
  return why;
}

Result<std::vector<TrackedTable>> StoreImpl::track_all() {
  std::vector<TrackedTable> out;
  const auto look = [&] {
    out.clear();
    for (const auto& name : ordinary_tables(db_)) {
      const auto why = why_left_out(name);
      out.push_back({name, why.empty(), why});
    }
  };
  const auto is_tracked = [](const TrackedTable& t) { return t.tracked; };
  arm_if_due();
  Status status = read_only(look);
  if (!status.ok()) return status;
  if (std::none_of(out.begin(), out.end(), is_tracked)) return out;  // the file stays untouched
  status = write([&] {
    look();
    std::vector<std::string> names;
    for (const auto& t : out) {
      if (t.tracked) names.push_back(t.name);
    }
    track_these(names);
  });
  if (!status.ok()) return status;
  enable_wal();
  return out;
}

TableIo* StoreImpl::tracked_here(const std::string& name) {
  for (const auto& [id, io] : tables_) {
    if (sqlite3_stricmp(io->info().name.c_str(), name.c_str()) == 0) return io.get();
  }
  return nullptr;
}

void StoreImpl::track_these(const std::vector<std::string>& names) {
  std::vector<std::uint32_t> ids;
  for (const auto& name : names) {
    if (tracked_here(name)) continue;
    if (ids.empty()) seal_journal();
    ids.push_back(arm(db_, name, 0).table.id);
  }
  if (ids.empty()) return;
  reload_tables();
  for (const auto id : ids) {
    add_baseline(*table(id));
    reveal_parked(*table(id));
  }
}

/// Rows found at track were written by nobody: birth (baseline, 1), stamp 0. Two copies of one
/// image have the same baseline, so tracking both doubles nothing.
void StoreImpl::add_baseline(TableIo& io) {
  Sealer sealer(*this);
  std::unordered_map<Hash, std::uint32_t> occurrences;
  const Returning returning(db_, io);
  std::string names;
  for (const auto& c : io.info().columns) names += ", " + quote_name(c.name);
  const std::string rowid = io.has_rowid() ? rowid_name(io.info()) : "0";
  Statement s(db_, fmt::format("SELECT {}{} FROM {}", rowid, names, quote_name(io.info().name)));
  std::vector<core::Value> values(io.info().columns.size());
  while (s.step()) {
    Bytes content;
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = s.value(static_cast<int>(i) + 1);
      put_canonical(content, values[i], Collation::binary);
    }
    auto identity = returning.at(s.integer(0));
    if (!identity) identity = io.key_of(values);
    if (!identity) {
      const Hash row = hash_parts({"mycelial baseline 1", io.info().name, content});
      Bytes nth;
      put_varint(nth, occurrences[row]++);
      const Hash name = hash_parts({row.view(), nth});
      HiddenIdentity hidden;
      for (int i = 0; i < 8; ++i) hidden.number = hidden.number << 8 | name.bytes[i];
      for (int i = 8; i < 12; ++i) hidden.random = hidden.random << 8 | name.bytes[i];
      identity = encode_identity(hidden);
    }
    if (const auto was = likeness(io, *identity)) {
      sealer.returning_row(io, s.integer(0), *identity, values, *was);
    } else {
      sealer.baseline_row(io, s.integer(0), *identity, values);
    }
  }
  s.reset();
  sealer.finish_baseline();
}

/// What the row was like when the table was untracked; nothing if it was not there.
std::optional<Likeness> StoreImpl::likeness(const TableIo& io, ByteView identity) {
  Use s(db_.cached(
      "SELECT blocker FROM mycelial_row WHERE tbl = ?1 AND ident = ?2 AND status IN (1, 3)"));
  s->bind(1, io.info().id).bind_blob(2, identity);
  return s->step() ? Likeness::from(s->blob(0)) : std::nullopt;
}

/// Rows of peers that waited for this table, and rows of ours that were deleted meanwhile.
void StoreImpl::reveal_parked(TableIo& io) {
  std::set<core::Identity> parked;
  Statement list(db_, "SELECT ident FROM mycelial_row WHERE tbl = ?1 AND status = 3");
  list.bind(1, io.info().id);
  while (list.step()) parked.emplace(list.blob(0));
  list.reset();
  for (const auto& id : parked) {
    const auto at = find_row(io.info().id, nullptr, id);
    put_hidden(io, id, RowStatus::hidden, unpack(at, nullptr), {});
  }
  if (!parked.empty()) settle(io.info().id, parked);
  Statement(db_, "UPDATE mycelial_row SET blocker = NULL WHERE tbl = ?1 AND status = 1")
      .bind(1, io.info().id)
      .run();
}

Status StoreImpl::untrack(const std::string& name) {
  const Status unknown(Errc::not_found, fmt::format("{} is not tracked in {}", name, path_));
  bool any = false;
  if (Status s = read_only([&] { any = Meta::exists(db_); }); !s.ok() || !any) {
    return s.ok() ? unknown : s;
  }
  return write([&] {
    TableIo* const io = tracked_here(name);
    if (!io) throw StorageError(unknown.code(), std::string(unknown.message()));
    seal_journal();
    park(*io);
    untrack_one(io->info().id);
    reload_tables();
  });
}

/// The table is not tracked any more, but its rows go on: they are kept whole, as those of peers
/// are, with what the table showed.
void StoreImpl::park(TableIo& io) {
  const auto table = io.info().id;
  const auto keep = [&](const RowRef& ref, const core::Identity* identity, core::Row& row) {
    const auto values = io.read(ref);
    if (!values) return;
    for (auto& cell : row.cells) {
      const auto position = io.position_of(cell.column);
      if (position && cell.value.type == Type::in_table) cell.value = (*values)[*position];
    }
    std::erase_if(row.cells, [](const auto& c) { return c.value.type == Type::in_table; });
    const auto key = identity ? core::Identity() : io.key_of(*values).value_or(core::Identity());
    put_record(table, identity ? *identity : key, RowStatus::parked, row,
               Likeness::of(io, ref.rowid, *values));
    io.release();
  };
  segments_->for_each(table, [&](const RowEntry& e) {
    core::Row row;
    unpack_row(e.state, io.columns(), row);
    core::Identity hidden;
    if (e.hidden) hidden = wire_identity(*e.hidden);
    keep({e.rowid, {}}, e.hidden ? &hidden : nullptr, row);
    return true;
  });
  for (const auto& identity : shown_records(table)) {
    const auto at = find_row(table, &io, identity);
    auto row = unpack(at, &io);
    keep({0, identity}, &identity, row);
  }
  Statement(
      db_, "UPDATE mycelial_row SET status = 3, blocker = NULL WHERE tbl = ?1 AND status IN (2, 4)")
      .bind(1, table)
      .run();
}

void StoreImpl::untrack_one(std::uint32_t id) {
  tables_.erase(id);
  disarm(db_, id);
  segments_->drop_table(id);
  hidden_known_.erase(id);
  list_changes();
  for (const char* sql : {"DELETE FROM mycelial_claim WHERE tbl = ?1",
                          "DELETE FROM mycelial_conflict WHERE tbl = ?1"}) {
    Statement(db_, sql).bind(1, id).run();
  }
}

namespace {

/// SQLite makes sqlite_sequence for the first AUTOINCREMENT table (ours) and never drops it, nor
/// lets others: under another name it can go.
void forget_sequence(Connection& db) {
  if (db.integer("SELECT count(*) FROM sqlite_sequence") != 0) return;
  if (db.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql LIKE "
                 "'%AUTOINCREMENT%'") != 0) {
    return;
  }
  db.exec(
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET name = 'mycelial_sequence', tbl_name "
      "= 'mycelial_sequence', sql = 'CREATE TABLE mycelial_sequence(name, seq)' WHERE name = "
      "'sqlite_sequence'; PRAGMA writable_schema = RESET; DROP TABLE IF EXISTS mycelial_sequence");
}

}  // namespace

Status StoreImpl::untrack_all() {
  bool any = false;
  if (Status s = read_only([&] { any = Meta::exists(db_); }); !s.ok() || !any) return s;
  std::string mode;
  bool drop_sequence = false;
  untracking_all_ = true;
  Status status = write([&] {
    while (!tables_.empty()) untrack_one(tables_.begin()->first);
    mode = meta_.get("journal_mode");
    drop_sequence = meta_.get_integer("made_sequence") != 0;
  });
  untracking_all_ = false;
  if (!status.ok()) return status;
  status = guard([&] {
    segments_.reset();
    db_.forget_cached();
    Transaction transaction(db_);
    drop_capture_tables(db_);
    for (const char* name : {"conflict", "claim", "row", "ident", "segment", "schema", "policy",
                             "set", "context", "stream", "member", "grave", "meta"}) {
      db_.exec(fmt::format("DROP TABLE IF EXISTS mycelial_{}", name));
    }
    if (drop_sequence) forget_sequence(db_);
    transaction.commit();
    cache_version_ = schema_version_ = -1;
    files_.remove_all();
    witness_.forget();
  });
  if (!status.ok() || mode.empty() || mode == "wal") return status;
  status = guard([&] { db_.exec("PRAGMA journal_mode = " + mode); });
  if (status.code() != Errc::busy) return status;
  return {Errc::busy, fmt::format("nothing is tracked in {} any more, but others use it, so its "
                                  "journal_mode cannot go back to {} now",
                                  path_, mode)};
}

}  // namespace mycelial::storage
