// SPDX-License-Identifier: Apache-2.0
// All that is not shown as it was written: rows that are hidden or parked, values that were
// overruled, values of columns that are not here, rows that refer to nothing.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

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

/// A value that changes with the sites' columns does not name a row.
std::string id_of(std::string_view table, ByteView identity, const Conflict& c) {
  constexpr std::size_t kDigits = 10;
  const bool whole = c.column.empty() && (c.kind == "hidden" || c.kind == "parked");
  return hash_parts({"mycelial conflict 1", lower_case(std::string(table)), identity, c.column,
                     c.kind, whole ? std::string() : c.value})
      .hex()
      .substr(0, kDigits);
}

}  // namespace

void StoreImpl::add_listed(std::vector<Listed>& out, std::uint32_t table, ByteView identity,
                           Conflict c) {
  c.row = describe_identity(identity);
  c.id = id_of(wire_name(db_, table), identity, c);
  out.push_back({std::move(c), table, core::Identity(identity), 0});
}

/// What peers wrote to columns that a table lacks here, of rows that it shows. Of columns that were
/// dropped here one line must do: all rows may have a value there.
void StoreImpl::list_parked_columns(TableIo& io, std::vector<Listed>& out) {
  const auto id = io.info().id;
  std::map<std::uint32_t, std::string> lacking;
  for (auto& [column, name] : column_names(db_, id)) {
    if (!io.position_of(column)) lacking[column] = std::move(name);
  }
  if (lacking.empty()) return;
  std::map<std::uint32_t, std::uint64_t> dropped;
  for (const auto column : dropped_columns(db_, id)) dropped[column] = 0;
  const auto list = [&](const core::Row& row, const core::Identity& identity) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const auto& cell = row.cells[i];
      const auto name = lacking.find(cell.column);
      if (name == lacking.end() || cell.value.type == core::Value::Type::in_table ||
          !core::is_winner(row, i, meta_.ranks())) {
        continue;
      }
      if (const auto it = dropped.find(cell.column); it != dropped.end()) {
        ++it->second;
        continue;
      }
      add_listed(out, id, identity,
                 {.table = io.info().name,
                  .column = name->second,
                  .kind = "parked",
                  .value = to_literal(cell.value),
                  .rule = "the table has no such column here",
                  .since = iso_time(core::hlc_ms(row.writes[cell.write].stamp.time))});
    }
  };
  core::Row row;
  segments_->for_each(id, [&](const RowEntry& e) {
    unpack_row(e.state, io.columns(), row);
    if (e.hidden) {
      list(row, wire_identity(*e.hidden));
    } else if (const auto values = io.read({e.rowid, {}})) {
      list(row, io.key_of(*values).value_or(core::Identity()));
    }
    io.release();
    return true;
  });
  for (const auto& identity : shown_records(id)) {
    const auto at = find_row(id, &io, identity);
    unpack(at, &io, row);
    list(row, identity);
  }
  for (const auto& [column, values] : dropped) {
    if (values == 0) continue;
    Conflict c{.table = io.info().name,
               .column = lacking[column],
               .kind = "parked",
               .value = fmt::format("{} values", values),
               .rule = "the column was dropped here; peers that have it show them"};
    out.push_back({std::move(c), id, {}, 0});
  }
}

/// What the row shows now in a column that the listed value was for.
std::string StoreImpl::shown_in(std::uint32_t table_number, ByteView identity,
                                std::string_view column, std::string_view when_listed) {
  TableIo* const io = table(table_number);
  if (!io || when_listed.empty()) return std::string(when_listed);
  const auto at = find_row(table_number, io, identity);
  const auto place = column_named(io->info(), column);
  if (!at.shown() || !place) return std::string(when_listed);
  const auto values = io->read({at.rowid, identity});
  auto now = values ? to_literal((*values)[*place]) : std::string(when_listed);
  io->release();
  return now;
}

void StoreImpl::list_overruled(std::vector<Listed>& out) {
  Statement l(
      db_,
      "SELECT t.name, c.tbl, c.ident, c.col, c.kind, c.value, c.winner, c.rule, c.at, c.id "
      "FROM mycelial_conflict c JOIN mycelial_table t ON t.id = c.tbl "
      "WHERE c.kind NOT LIKE 'dismissed %' ORDER BY c.at, t.name, c.ident, c.col, c.kind, c.value");
  while (l.step()) {
    const auto id = static_cast<std::uint32_t>(l.number(1));
    Conflict c{.table = std::string(l.text(0)),
               .column = std::string(l.text(3)),
               .kind = std::string(l.text(4)),
               .value = std::string(l.text(5)),
               .winner = std::string(l.text(6)),
               .rule = std::string(l.text(7)),
               .since = iso_time(l.number(8))};
    if (c.kind == "superseded") c.winner = shown_in(id, l.blob(2), c.column, c.winner);
    add_listed(out, id, l.blob(2), std::move(c));
    out.back().entry = l.integer(9);
  }
}

/// What a row that is not shown holds.
std::string StoreImpl::describe_cells(std::uint32_t table, const core::Row& row) {
  std::string out;
  std::uint32_t last = ~0u;
  for (const auto& cell : row.cells) {
    if (cell.column == last) continue;
    last = cell.column;
    const auto name = column_name(db_, table, cell.column);
    if (name.empty()) continue;
    const auto* best = core::winner(row, cell.column, meta_.ranks());
    out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", name, to_literal(best->value));
  }
  return out;
}

/// Rows that their tables do not show.
void StoreImpl::list_rows(std::vector<Listed>& out) {
  Statement s(db_,
              "SELECT t.name, r.tbl, r.ident, r.status, r.blocker FROM mycelial_row r JOIN "
              "mycelial_table t ON t.id = r.tbl WHERE r.status > 1 ORDER BY r.tbl, r.ident");
  while (s.step()) {
    const auto id = static_cast<std::uint32_t>(s.number(1));
    const auto kind = static_cast<RowStatus>(s.integer(3));
    const auto at = find_row(id, nullptr, s.blob(2));
    const auto row = unpack(at, nullptr);
    core::Hlc written = 0;
    for (const auto& cell : row.cells) {
      const auto* best = core::winner(row, cell.column, meta_.ranks());
      written = std::max(written, row.writes[best->write].stamp.time);
    }
    Conflict c{.table = std::string(s.text(0)),
               .kind = kind == RowStatus::parked ? "parked" : "hidden",
               .value = describe_cells(id, row),
               .winner = s.is_null(4) ? std::string() : describe_identity(s.blob(4)),
               .since = iso_time(core::hlc_ms(written))};
    c.rule = kind == RowStatus::hidden   ? "UNIQUE: the row written last holds the value"
             : kind == RowStatus::parked ? "the table is not tracked here"
                                         : "a CHECK, NOT NULL or type constraint, or another key, "
                                           "forbids it";
    add_listed(out, id, s.blob(2), std::move(c));
  }
}

std::vector<StoreImpl::Listed> StoreImpl::listed_conflicts() {
  std::vector<Listed> out;
  for (const auto& [id, io] : tables_) {
    list_parked_columns(*io, out);
    Orphans(*this).list(*io, out);
  }
  list_rows(out);
  list_overruled(out);
  return out;
}

Result<std::vector<Conflict>> StoreImpl::conflicts() {
  std::vector<Conflict> out;
  const Status status = read_only([&] {
    if (!Meta::exists(db_)) return;
    for (auto& listed : listed_conflicts()) out.push_back(std::move(listed.conflict));
  });
  if (!status.ok()) return status;
  return out;
}

}  // namespace mycelial::storage
