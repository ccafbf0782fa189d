// SPDX-License-Identifier: Apache-2.0
// What people ask: status, conflicts, digest, check.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "storage/orphans.hpp"

namespace mycelial::storage {

std::string iso_time(std::uint64_t ms) {
  if (ms == 0) return {};  // before the table was tracked
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char out[32];
  std::strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return out;
}

namespace {

/// 128-bit numbers as pairs, summed without order.
struct Sum {
  std::uint64_t low = 0, high = 0;
  void add(const Hash& h) {
    std::uint64_t l = 0, u = 0;
    for (int i = 0; i < 8; ++i) l = l << 8 | h.bytes[i];
    for (int i = 8; i < 16; ++i) u = u << 8 | h.bytes[i];
    low += l;
    high += u + (low < l ? 1 : 0);
  }
};

void put_exact(Bytes& out, const core::Value& v) {
  out.push_back(static_cast<char>(v.type));
  if (v.type == core::Value::Type::integer || v.type == core::Value::Type::real) {
    out.append(reinterpret_cast<const char*>(&v.integer), 8);
  } else {
    put_prefixed(out, v.bytes);
  }
}

}  // namespace

Result<ReplicaStatus> StoreImpl::status() {
  ReplicaStatus out;
  out.path = path_;
  const Status status = read_only([&] {
    if (!Meta::exists(db_)) return;
    out.site = meta_.site().hex();
    for (const auto& [id, io] : tables_) {
      out.tables.push_back({io->info().name, true, {}});
    }
    for (const auto& note : app_triggers_.notes()) out.notes.push_back(note);
    out.journal_entries = count_journal(db_, std::numeric_limits<std::int64_t>::max());
    for (const auto& [stream, tip] : have()) out.sets_held += tip.seq;
    out.streams = have().size();
    out.tail_sets = static_cast<std::uint64_t>(db_.integer("SELECT count(*) FROM mycelial_set"));
    out.tail_bytes = static_cast<std::uint64_t>(db_.integer("SELECT sum(size) FROM mycelial_set"));
    Statement s(db_, "SELECT status, count(*) FROM mycelial_row WHERE status > 1 GROUP BY status");
    while (s.step()) {
      (s.integer(0) == static_cast<int>(RowStatus::parked) ? out.parked_rows : out.hidden_rows) +=
          s.number(1);
    }
    out.superseded =
        static_cast<std::uint64_t>(db_.integer("SELECT count(*) FROM mycelial_conflict"));
    if (db_.text("PRAGMA journal_mode") != "wal" && !tables_.empty()) {
      out.notes.push_back("journal_mode is not WAL: readers and syncing block each other");
    }
  });
  if (!status.ok()) return status;
  out.notes.insert(out.notes.end(), notes_.begin(), notes_.end());
  return out;
}

/// What peers wrote to columns that a table lacks here, of rows that it shows.
void StoreImpl::list_parked_columns(TableIo& io, std::vector<Conflict>& out) {
  std::map<std::uint32_t, std::string> lacking;
  for (auto& [column, name] : column_names(db_, io.info().id)) {
    if (!io.position_of(column)) lacking[column] = std::move(name);
  }
  if (lacking.empty()) return;
  const auto list = [&](const core::Row& row, const core::Identity& identity) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const auto& cell = row.cells[i];
      const auto name = lacking.find(cell.column);
      if (name == lacking.end() || cell.value.type == core::Value::Type::in_table ||
          !core::is_winner(row, i, meta_.ranks())) {
        continue;
      }
      out.push_back({io.info().name, describe_identity(identity), name->second, "parked",
                     to_literal(cell.value), "", "the table has no such column here",
                     iso_time(core::hlc_ms(row.writes[cell.write].stamp.time))});
    }
  };
  core::Row row;
  segments_->for_each(io.info().id, [&](const RowEntry& e) {
    unpack_row(e.state, io.columns(), row);
    if (e.hidden) {
      list(row, wire_identity(*e.hidden));
    } else if (const auto values = io.read({e.rowid, {}})) {
      list(row, io.key_of(*values).value_or(core::Identity()));
    }
    io.release();
    return true;
  });
  Statement shown(db_, "SELECT ident FROM mycelial_row WHERE tbl = ?1 AND status = 0");
  shown.bind(1, io.info().id);
  while (shown.step()) {
    const auto at = find_row(io.info().id, &io, shown.blob(0));
    unpack(at, &io, row);
    list(row, core::Identity(shown.blob(0)));
  }
}

/// What the row shows now in a column that the listed value was for.
std::string StoreImpl::shown_in(std::uint32_t table_number, ByteView identity,
                                std::string_view column, std::string_view when_listed) {
  TableIo* const io = table(table_number);
  if (!io || when_listed.empty()) return std::string(when_listed);
  const auto at = find_row(table_number, io, identity);
  const auto& columns = io->info().columns;
  const auto place = std::ranges::find(columns, column, &ColumnInfo::name);
  if (!at.shown() || place == columns.end()) return std::string(when_listed);
  const auto values = io->read({at.rowid, identity});
  const auto now = values ? to_literal((*values)[static_cast<std::size_t>(place - columns.begin())])
                          : std::string(when_listed);
  io->release();
  return now;
}

void StoreImpl::list_overruled(std::vector<Conflict>& out) {
  Statement l(db_,
              "SELECT t.name, c.tbl, c.ident, c.col, c.kind, c.value, c.winner, c.rule, c.at FROM "
              "mycelial_conflict c JOIN mycelial_table t ON t.id = c.tbl "
              "ORDER BY c.at, t.name, c.ident, c.id");
  while (l.step()) {
    const bool superseded = l.text(4) == "superseded";
    const std::string winner = superseded ? shown_in(static_cast<std::uint32_t>(l.number(1)),
                                                     l.blob(2), l.text(3), l.text(6))
                                          : std::string(l.text(6));
    out.push_back({std::string(l.text(0)), describe_identity(l.blob(2)), std::string(l.text(3)),
                   std::string(l.text(4)), std::string(l.text(5)), winner, std::string(l.text(7)),
                   iso_time(l.number(8))});
  }
}

Result<std::vector<Conflict>> StoreImpl::conflicts() {
  std::vector<Conflict> out;
  const Status status = read_only([&] {
    if (!Meta::exists(db_)) return;
    for (const auto& [id, io] : tables_) {
      list_parked_columns(*io, out);
      Orphans(*this).list(*io, out);
    }
    Statement s(db_,
                "SELECT t.name, r.tbl, r.ident, r.status, r.blocker FROM mycelial_row r JOIN "
                "mycelial_table t ON t.id = r.tbl WHERE r.status > 1 ORDER BY r.tbl, r.ident");
    while (s.step()) {
      const auto id = static_cast<std::uint32_t>(s.number(1));
      const auto kind = static_cast<RowStatus>(s.integer(3));
      Conflict c;
      c.table = s.text(0);
      c.row = describe_identity(s.blob(2));
      c.kind = kind == RowStatus::parked ? "parked" : "hidden";
      const auto at = find_row(id, nullptr, s.blob(2));
      const auto row = unpack(at, nullptr);
      std::uint32_t last = ~0u;
      core::Hlc written = 0;
      for (const auto& cell : row.cells) {
        if (cell.column == last) continue;
        last = cell.column;
        const auto* best = core::winner(row, cell.column, meta_.ranks());
        written = std::max(written, row.writes[best->write].stamp.time);
        Statement name(db_,
                       "SELECT name FROM mycelial_column WHERE tbl = ?1 AND id = ?2 ORDER BY place "
                       "DESC");
        if (name.bind(1, id).bind(2, cell.column).step()) {
          c.value += fmt::format("{}{} = {}", c.value.empty() ? "" : ", ", name.text(0),
                                 to_literal(best->value));
        }
      }
      if (!s.is_null(4)) c.winner = describe_identity(s.blob(4));
      c.rule = kind == RowStatus::hidden ? "UNIQUE: the row written last holds the value"
               : kind == RowStatus::parked
                   ? "the table is not tracked here"
                   : "a CHECK, NOT NULL or type constraint, or another key, forbids it";
      c.since = iso_time(core::hlc_ms(written));
      out.push_back(std::move(c));
    }
    list_overruled(out);
  });
  if (!status.ok()) return status;
  return out;
}

Result<std::string> StoreImpl::digest() {
  Bytes all;
  const Status status = read_only([&] {
    std::map<std::string, const TableInfo*> by_name;
    for (const auto& [id, io] : tables_) by_name[lower_case(io->info().name)] = &io->info();
    for (const auto& [name, info] : by_name) {
      std::vector<std::string> columns;
      for (const auto& c : info->columns) columns.push_back(lower_case(c.name));
      std::sort(columns.begin(), columns.end());
      std::string list;
      for (const auto& c : columns) list += (list.empty() ? "" : ", ") + quote_name(c);
      put_prefixed(all, name);
      for (const auto& c : columns) put_prefixed(all, c);
      Sum sum;
      std::uint64_t rows = 0;
      Statement s(db_, fmt::format("SELECT {} FROM {}", list, quote_name(name)));
      Bytes row;
      while (s.step()) {
        row.clear();
        for (int i = 0; i < s.columns(); ++i) put_exact(row, s.value(i));
        sum.add(hash_parts({row}));
        ++rows;
      }
      put_varint(all, rows);
      put_varint(all, sum.low);
      put_varint(all, sum.high);
    }
  });
  if (!status.ok()) return status;
  return hash_parts({"mycelial digest 1", all}).hex();
}

Result<std::vector<std::string>> StoreImpl::check() {
  std::vector<std::string> out;
  const Status status = read_only([&] {
    auto integrity = db_.text("PRAGMA quick_check(1)");
    // The quick one of SQLite 3.40 takes fright at WITHOUT ROWID keys in another order.
    if (integrity != "ok") integrity = db_.text("PRAGMA integrity_check(1)");
    if (integrity != "ok") out.push_back("SQLite: " + integrity);
    if (!Meta::exists(db_)) return;
    const bool pending = count_journal(db_, 1) != 0;
    for (const auto& [id, owner] : tables_) {
      TableIo* const io = owner.get();
      const auto& name = io->info().name;
      if (needs_arming(db_, io->info())) {
        out.push_back(name +
                      ": capture triggers are missing or out of date; the next seal repairs them");
      }
      std::uint64_t booked = 0, lost = 0;
      Statement count(db_, fmt::format("SELECT count(*) FROM {}", quote_name(name)));
      const auto rows = count.step() ? count.number(0) : 0;
      if (io->has_rowid()) {
        core::Row row;
        segments_->for_each(id, [&](const RowEntry& e) {
          ++booked;
          lost += io->read({e.rowid, {}}) ? 0 : 1;
          io->release();
          unpack_row(e.state, io->columns(), row);
          return true;
        });
      } else {
        Statement s(db_, "SELECT count(*) FROM mycelial_row WHERE tbl = ?1 AND status = 0");
        if (s.bind(1, id).step()) booked = s.number(0);
      }
      if (pending) continue;  // captured writes are not in the book yet
      if (lost)
        out.push_back(fmt::format("{}: {} rows of the book are not in the table", name, lost));
      if (booked != rows) {
        out.push_back(fmt::format("{}: the table has {} rows, the book {}", name, rows, booked));
      }
    }
  });
  if (!status.ok()) return status;
  return out;
}

}  // namespace mycelial::storage
