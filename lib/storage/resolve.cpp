// SPDX-License-Identifier: Apache-2.0
// What people decide about conflicts. Every decision is a write like any other, and so travels.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "storage/sealer.hpp"
#include "storage/sql_tokens.hpp"
#include "storage/triggers.hpp"

namespace mycelial::storage {

using Kind = Resolution::Kind;

namespace {

[[noreturn]] void refuse(std::string_view why) {
  throw StorageError(Errc::invalid_argument, std::string(why));
}

std::optional<Bytes> bytes_of_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  Bytes out;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    const char* const end = digits.data() + i + 2;
    const auto r = std::from_chars(digits.data() + i, end, byte, 16);
    if (r.ec != std::errc() || r.ptr != end) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

/// The value of an SQL literal and of nothing else: it may come from a peer.
std::optional<core::OwnedValue> value_of_literal(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (is_keyword(text, "NULL")) return core::OwnedValue();
  const bool is_one = token_end(text, 0) == text.size();
  if (text.front() == '\'' && is_one && text.size() > 1 && text.back() == '\'') {
    return core::OwnedValue(core::Value::text(unquoted(text)));
  }
  if ((text.front() == 'x' || text.front() == 'X') && text.size() > 2 && text[1] == '\'' &&
      text.back() == '\'') {
    const auto bytes = bytes_of_hex(text.substr(2, text.size() - 3));
    return bytes ? std::optional(core::OwnedValue(core::Value::blob(*bytes))) : std::nullopt;
  }
  if (text.find_first_not_of("+-.0123456789eE") != std::string_view::npos) return std::nullopt;
  std::int64_t integer = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (r.ec == std::errc() && r.ptr == text.data() + text.size()) {
    return core::OwnedValue(core::Value::of(integer));
  }
  const std::string number(text);
  char* end = nullptr;
  const double real = std::strtod(number.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return core::OwnedValue(core::Value::of_real(real));
}

}  // namespace

const StoreImpl::Listed& StoreImpl::find_listed(const std::vector<Listed>& all,
                                                const std::string& id) {
  const auto begins = [&](const Listed& l) { return l.conflict.id.starts_with(id); };
  const auto found = id.empty() ? all.end() : std::ranges::find_if(all, begins);
  if (found == all.end()) {
    throw StorageError(
        Errc::not_found,
        fmt::format("no conflict {} in {}; mycelial conflicts lists them with their ids", id,
                    path_));
  }
  const auto differs = [&](const Listed& l) {
    return begins(l) && l.conflict.id != found->conflict.id;
  };
  if (std::ranges::any_of(all, differs)) {
    refuse(fmt::format("the ids of several conflicts begin with {}; give more of it", id));
  }
  return *found;
}

Status StoreImpl::resolve(const std::string& conflict, const Resolution& how) {
  bool any = false;
  if (Status s = read_only([&] { any = Meta::exists(db_); }); !s.ok()) return s;
  if (!any) {
    return {Errc::not_found, fmt::format("{} has no tables that are tracked", path_)};
  }
  return write([&] {
    seal_journal();
    const auto all = listed_conflicts();
    const Listed& what = find_listed(all, lower_case(conflict));
    const auto& kind = what.conflict.kind;
    if (kind == "orphan") {
      refuse("a row without a parent is for SQL to mend: insert the parent, or change the row");
    }
    if (kind == "parked" && what.entry == 0) {
      refuse(what.conflict.column.empty()
                 ? "it waits for a table that is not tracked here: track it, or leave it"
                 : "it waits for a column that is not here: add the column, or leave it");
    }
    what.entry != 0 ? decide_value(what, how) : decide_row(what, how);
  });
}

/// True for a column of the key by which all replicas know the row.
bool StoreImpl::names_row(const TableIo& io, ByteView identity, std::uint32_t position) {
  const auto& key = io.info().key;
  return is_key_identity(identity) && std::ranges::find(key, position) != key.end();
}

/// What makes the row win: its claims, made anew.
StoreImpl::NewValues StoreImpl::renewed_claims(TableIo& io, const core::Row& row,
                                               ByteView identity) {
  NewValues out;
  for (const auto column : io.unique_columns()) {
    const auto* cell = core::winner(row, column, meta_.ranks());
    if (!cell || names_row(io, identity, *io.position_of(column))) continue;
    out.emplace_back(column, core::OwnedValue(cell->value));
  }
  return out;
}

/// The one new value, if no other row holds it.
StoreImpl::NewValues StoreImpl::changed_value(TableIo& io, const core::Row& row, ByteView identity,
                                              const Resolution& how) {
  const auto position = column_named(io.info(), how.column);
  if (!position) refuse(fmt::format("{} has no column {}", io.info().name, how.column));
  if (names_row(io, identity, *position)) {
    refuse(fmt::format("{} is the key that names the row; dismiss it, and insert another",
                       how.column));
  }
  auto value = value_of_literal(how.value);
  if (!value) {
    refuse(fmt::format("{} is no SQL literal, such as 12, 'text', x'00ff' or NULL", how.value));
  }
  std::deque<Bytes> bytes;
  auto wanted = values_of(io, row, bytes);
  wanted[*position] = value->view();
  for (std::size_t i = 0; i < io.indexes(); ++i) {
    const auto holder = io.holder(i, wanted);
    if (!holder) continue;
    throw StorageError(Errc::schema, fmt::format("{}[{}] holds that value", io.info().name,
                                                 describe_identity(identity_of(io, *holder))));
  }
  NewValues out;
  out.emplace_back(io.column_ids()[*position], std::move(*value));
  return out;
}

/// A row that is hidden: it takes its place, makes room, or goes.
void StoreImpl::decide_row(const Listed& what, const Resolution& how) {
  TableIo* const io = table(what.table);
  if (!io) refuse("its table is not tracked here");
  Sealer sealer(*this);
  if (how.kind == Kind::dismiss) {
    sealer.give_up_row(*io, what.identity);
    return sealer.finish_rows();
  }
  const auto at = find_row(what.table, nullptr, what.identity);
  const auto row = unpack(at, nullptr);
  const auto values = how.kind == Kind::change ? changed_value(*io, row, what.identity, how)
                                               : renewed_claims(*io, row, what.identity);
  for (const auto& [column, value] : values) {
    const auto position = *io->position_of(column);
    if (io->policy_of(position).kind == core::Policy::Kind::lww) continue;
    refuse(fmt::format("{} merges by a policy: dismiss the row, or change the other one",
                       io->info().columns[position].name));
  }
  if (!values.empty()) {
    sealer.rewrite_row(*io, what.identity, values);
    settle(what.table, {what.identity});
    changed_tables_.insert(io->info().name);
  }
  sealer.finish_rows();
  if (find_row(what.table, io, what.identity).shown()) return;
  throw StorageError(Errc::schema,
                     fmt::format("{}[{}] cannot be shown like that: {}", io->info().name,
                                 what.conflict.row, what.conflict.rule));
}

/// A value that nobody sees: it is written again, or not listed any more.
void StoreImpl::decide_value(const Listed& what, const Resolution& how) {
  TableIo* const io = table(what.table);
  if (!io) refuse("its table is not tracked here");
  if (how.kind == Kind::change) {
    refuse("only a hidden row is changed; write the value with SQL, and dismiss this");
  }
  if (how.kind == Kind::restore) write_as_application(*io, what);
  Statement entry(db_,
                  "SELECT ident, col, kind, value, winner, rule, at FROM mycelial_conflict WHERE "
                  "id = ?1");
  if (!entry.bind(1, what.entry).step()) return;  // the write ended it
  core::Overruled dismissed{.identity = core::Identity(entry.blob(0)),
                            .column = std::string(entry.text(1)),
                            .kind = std::string(kDismissed).append(entry.text(2)),
                            .value = std::string(entry.text(3)),
                            .winner = std::string(entry.text(4)),
                            .rule = std::string(entry.text(5)),
                            .at_ms = entry.number(6)};
  entry.reset();
  Sealer sealer(*this);
  sealer.list(*io, std::move(dismissed));
  sealer.finish_rows();
}

void StoreImpl::write_as_application(TableIo& io, const Listed& what) {
  const auto& c = what.conflict;
  const auto position = column_named(io.info(), c.column);
  const auto value = value_of_literal(c.value);
  const auto at = find_row(what.table, &io, what.identity);
  if (!position || !value || !at.shown()) {
    refuse(
        fmt::format("{}[{}] is not shown, so that {} cannot be written to it: insert it with "
                    "SQL, and dismiss this",
                    io.info().name, c.row, c.value));
  }
  std::vector<core::OwnedValue> key;
  std::string where = rowid_name(io.info()) + " = ?2";
  if (io.has_rowid()) {
    key.emplace_back(core::Value::of(at.rowid));
  } else {
    where.clear();
    const auto row = io.read({0, what.identity});
    for (const auto k : io.info().key) {
      key.emplace_back((*row)[k]);
      where += fmt::format("{}{} = ?{}", where.empty() ? "" : " AND ",
                           quote_name(io.info().columns[k].name), key.size() + 1);
    }
    io.release();
  }
  app_triggers_.as_application([&] {
    Statement update(db_, fmt::format("UPDATE {} SET {} = ?1 WHERE {}", quote_name(io.info().name),
                                      quote_name(io.info().columns[*position].name), where));
    update.bind(1, value->view());
    for (std::size_t i = 0; i < key.size(); ++i) {
      update.bind(static_cast<int>(i) + 2, key[i].view());
    }
    try {
      update.run();
    } catch (const SqliteError& e) {
      if (e.primary() != SQLITE_CONSTRAINT) throw;
      throw StorageError(Errc::schema, fmt::format("{} cannot be written to {}[{}]: {}", c.value,
                                                   io.info().name, c.row, e.what()));
    }
  });
  seal_journal();
}

}  // namespace mycelial::storage
