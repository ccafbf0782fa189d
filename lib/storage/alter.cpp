// SPDX-License-Identifier: Apache-2.0
// ALTER TABLE through us. Only DROP COLUMN needs it: SQLite refuses that to others while triggers
// name the column.
#include <fmt/format.h>

#include <vector>

#include "storage/sql_tokens.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {

using Type = core::Value::Type;

namespace {

struct Alteration {
  std::string sql;
  std::string table;
  std::string dropped;  ///< The column; empty: it does something else.
};

/// The tokens of each statement, without blanks.
std::vector<std::vector<std::string_view>> statements_of(std::string_view sql) {
  std::vector<std::vector<std::string_view>> out(1);
  for (std::size_t at = 0; at < sql.size();) {
    const auto end = token_end(sql, at);
    const auto token = sql.substr(at, end - at);
    at = end;
    if (token == ";") {
      out.emplace_back();
    } else if (!is_blank(token)) {
      out.back().push_back(token);
    }
  }
  std::erase_if(out, [](const auto& tokens) { return tokens.empty(); });
  return out;
}

[[noreturn]] void refuse(std::string_view what) {
  throw StorageError(
      Errc::invalid_argument,
      fmt::format("alter runs ALTER TABLE statements of the file's own tables; {} is "
                  "none: run it with SQLite itself",
                  what));
}

Alteration read_alteration(const std::vector<std::string_view>& tokens) {
  const char* const end = tokens.back().data() + tokens.back().size();
  Alteration out;
  out.sql.assign(tokens.front().data(), end);
  if (tokens.size() < 4 || !is_keyword(tokens[0], "ALTER") || !is_keyword(tokens[1], "TABLE")) {
    refuse(out.sql);
  }
  std::size_t at = 2;
  if (tokens[3] == ".") {
    if (lower_case(unquoted(tokens[2])) != "main" || tokens.size() < 6) refuse(out.sql);
    at = 4;
  }
  out.table = unquoted(tokens[at++]);
  if (!is_keyword(tokens[at++], "DROP")) return out;
  if (tokens.size() > at + 1 && is_keyword(tokens[at], "COLUMN")) ++at;
  if (at < tokens.size()) out.dropped = unquoted(tokens[at]);
  return out;
}

}  // namespace

/// All statements, or none. Where nothing is tracked there is nothing to look after.
Status StoreImpl::alter(const std::string& sql) {
  std::vector<Alteration> steps;
  Status status = guard([&] {
    for (const auto& tokens : statements_of(sql)) steps.push_back(read_alteration(tokens));
    if (steps.empty()) refuse("an empty text");
  });
  bool any = false;
  if (status.ok()) status = read_only([&] { any = Meta::exists(db_) && !tables_.empty(); });
  if (!status.ok()) return status;
  if (!any) {
    return {Errc::not_found,
            fmt::format("{} has no tables that are tracked; alter it with SQLite itself", path_)};
  }
  return write([&] {
    seal_journal();
    for (const auto& step : steps) run_alteration(step.sql, step.table, step.dropped);
    finish_rearming();
  });
}

void StoreImpl::run_alteration(const std::string& sql, const std::string& table,
                               const std::string& dropped) {
  TableIo* const io = dropped.empty() ? nullptr : tracked_here(table);
  const auto position = io ? column_named(io->info(), dropped) : std::nullopt;
  if (!position) {
    db_.exec(sql);
    return rearm_if_schema_changed(true);
  }
  const auto id = io->info().id;
  const auto name = io->info().name;
  keep_column(*io, io->column_ids()[*position]);
  drop_triggers(db_, id);
  db_.exec(sql);
  arm(db_, name, id);
  reload_tables();
}

/// What only the table holds of the column goes to the book: peers that have it may get it from us.
void StoreImpl::keep_column(TableIo& io, std::uint32_t column) {
  const auto table = io.info().id;
  auto ids = io.column_ids();
  std::erase(ids, column);
  const auto rest = column_set(std::move(ids));
  const auto position = *io.position_of(column);
  core::Row row;
  const auto fill = [&](const RowRef& ref) {
    const auto values = io.read(ref);
    for (auto& cell : row.cells) {
      if (values && cell.column == column && cell.value.type == Type::in_table) {
        cell.value = (*values)[position];
      }
    }
    pack_row(row, rest, state_);
    io.release();
  };
  segments_->for_each(table, [&](const RowEntry& e) {
    unpack_row(e.state, io.columns(), row);
    fill({e.rowid, {}});
    segments_->put(table, e.rowid, state_, e.hidden, e.witness);
    return true;
  });
  for (const auto& identity : shown_records(table)) {
    const auto at = find_row(table, &io, identity);
    unpack(at, &io, row);
    fill({0, identity});
    write_record(table, identity, RowStatus::shown, {});
  }
}

}  // namespace mycelial::storage
