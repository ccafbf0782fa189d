// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/oracle.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "storage/identity.hpp"
#include "storage/sqlite.hpp"
#include "storage/table_info.hpp"

namespace mycelial::test {

Oracle::Oracle(std::string schema) : schema_(std::move(schema)) {}

core::Origin Oracle::origin_of(const core::Stream& stream) {
  const auto it = std::find(streams_.begin(), streams_.end(), stream);
  if (it == streams_.end()) {
    streams_.push_back(stream);
    covered_.push_back(0);
    return static_cast<core::Origin>(streams_.size() - 1);
  }
  return static_cast<core::Origin>(it - streams_.begin());
}

std::uint32_t Oracle::column_of(const std::string& table, const std::string& column) {
  const std::pair name(table, column);
  const auto it = std::find(columns_.begin(), columns_.end(), name);
  if (it == columns_.end()) {
    columns_.push_back(name);
    return static_cast<std::uint32_t>(columns_.size() - 1);
  }
  return static_cast<std::uint32_t>(it - columns_.begin());
}

core::Value Oracle::keep(core::Value value) {
  if (value.bytes.empty()) return value;
  arena_->emplace_back(value.bytes);
  value.bytes = arena_->back();
  return value;
}

void Oracle::read(ByteView bytes, core::Header& header, Rows& rows) {
  const auto unit = codec::decode_unit(bytes);
  ASSERT_TRUE(unit.ok()) << unit.status().to_string();
  header = unit->header;
  codec::BodyReader reader(unit->body, [&](const Hash& hash) -> const core::Schema* {
    const auto it = schemas_.find(hash);
    return it == schemas_.end() ? nullptr : &it->second;
  });
  for (;;) {
    auto item = reader.next();
    ASSERT_TRUE(item.ok()) << item.status().to_string();
    if (!*item) return;
    if ((*item)->schema) schemas_[(*item)->schema->hash()] = *(*item)->schema;
    if (!(*item)->block) continue;
    auto& block = *(*item)->block;
    const core::Schema& schema = schemas_.at(block.schema());
    std::vector<core::Origin> origins;
    for (const auto& s : block.origins())
      origins.push_back(s.site.is_baseline() ? 0 : origin_of(s));
    const auto marks = [&](core::Marks& in) {
      for (auto& m : in) m.origin = origins.at(m.origin);
      std::sort(in.begin(), in.end());
    };
    for (core::RowPiece piece; block.next(piece);) {
      marks(piece.row.births);
      marks(piece.row.dead);
      marks(piece.row.killers);
      for (auto& w : piece.row.writes) {
        w.carrier.origin = origins.at(w.carrier.origin);
        w.stamp.origin = origins.at(w.stamp.origin);
        marks(w.targets);
      }
      for (auto& c : piece.row.cells) {
        c.column = column_of(schema.table, schema.columns.at(c.column));
        c.value = keep(c.value);
      }
      std::stable_sort(
          piece.row.cells.begin(), piece.row.cells.end(),
          [](const core::Cell& a, const core::Cell& b) { return a.column < b.column; });
      // A set may speak of a row twice: as a loser that dies with its winner, and as itself.
      auto& row = rows[{schema.table, piece.identity}];
      row = core::merge_rows(row, piece.row, {}, {}, core::Ranks(streams_));
    }
    ASSERT_TRUE(block.status().ok()) << block.status().to_string();
  }
}

void Oracle::take(ByteView unit) {
  core::Header header;
  Rows rows;
  read(unit, header, rows);
  if (testing::Test::HasFatalFailure()) return;
  std::vector<std::uint64_t> theirs;
  std::vector<std::pair<core::Origin, std::uint64_t>> gain;
  if (header.kind == core::UnitKind::cut) {
    for (const auto& [stream, tip] : header.have) gain.emplace_back(origin_of(stream), tip.seq);
    theirs.resize(streams_.size());
    for (const auto& [origin, seq] : gain) theirs[origin] = seq;
  } else {
    gain.emplace_back(origin_of(header.stream), header.last);
  }
  const core::Ranks ranks(streams_);
  bury(rows);
  if (header.full) {
    for (const auto& [name, row] : rows_)
      rows[name];  // unlisted: dead, if the maker should list it
  }
  for (auto& [name, piece] : rows) {
    auto& row = rows_[name];
    row = core::merge_rows(row, piece, covered_, theirs, ranks);
  }
  for (const auto& [origin, seq] : gain) covered_[origin] = std::max(covered_[origin], seq);
}

/// Of rows that are dead for good a hash may be all that is said.
void Oracle::bury(Rows& rows) const {
  for (const auto& [name, row] : rows_) {
    const auto hash = storage::grave_name(name.second);
    const auto grave = hash == name.second ? rows.end() : rows.find({name.first, hash});
    if (grave == rows.end()) continue;
    rows.try_emplace(name, grave->second);  // it may live again
  }
  std::erase_if(rows, [](const auto& r) { return storage::is_grave_name(r.first.second); });
}

/// What rows say, whatever may have been forgotten.
Oracle::Rows Oracle::essence(const Rows& rows) const {
  Rows out;
  const std::vector<std::uint64_t> all(streams_.size(), ~std::uint64_t{0});
  for (const auto& [name, was] : rows) {
    core::Row row = was;
    row.killers.clear();
    (void)core::forget_deaths(row, all);
    const bool lives = core::is_alive(row);
    std::erase_if(row.dead, [&](const auto& m) { return m.origin != 0; });
    if (!row.dead.empty()) std::erase_if(row.births, [](const auto& m) { return m.origin == 0; });
    if (row == core::Row{}) continue;
    const bool grave = !lives && row.cells.empty();
    out[{name.first, grave ? storage::grave_name(name.second) : name.second}] = row;
  }
  return out;
}

std::string Oracle::describe(const core::Row& row) const {
  const auto marks = [](const core::Marks& in) {
    std::string out;
    for (const auto& m : in) out += fmt::format(" {}.{}", m.origin, m.seq);
    return out;
  };
  std::string out =
      "births" + marks(row.births) + " dead" + marks(row.dead) + " killers" + marks(row.killers);
  for (const auto& c : row.cells) {
    const auto& w = row.writes[c.write];
    out +=
        fmt::format("\n    {} = {} at {}.{} of {}.{} in {}.{} to{}", columns_[c.column].second,
                    storage::to_literal(c.value), w.stamp.time >> 16, w.stamp.time & 0xffff,
                    w.stamp.origin, w.stamp.seq, w.carrier.origin, w.carrier.seq, marks(w.targets));
  }
  return out;
}

std::string Oracle::audit(Site& site) {
  std::string out = audit_book(site) + audit_tables(site);
  const auto wrong = site.store().check();
  if (!wrong.ok()) return out + "check: " + wrong.status().to_string() + "\n";
  for (const auto& w : *wrong) out += "check: " + w + "\n";
  return out;
}

/// A full cut carries every row that the store knows, with all its bookkeeping.
std::string Oracle::audit_book(Site& site) {
  const auto ref = site.store().cut({}, {});
  if (!ref.ok()) return "cut: " + ref.status().to_string() + "\n";
  const auto bytes = site.store().read(*ref, 0, ref->size);
  if (!bytes.ok()) return "read: " + bytes.status().to_string() + "\n";
  core::Header header;
  Rows held;
  read(*bytes, header, held);
  std::string out;
  const core::Ranks ranks(streams_);
  covered_.resize(streams_.size());
  for (const auto& [stream, tip] : header.have) {
    const auto seq = covered_[origin_of(stream)];
    if (seq != tip.seq) {
      out += fmt::format("stream {}: the store holds {}, it was given {}\n",
                         stream.site.hex().substr(0, 8), tip.seq, seq);
    }
  }
  const Rows must = forgets_ ? essence(rows_) : rows_;
  if (forgets_) {
    bury(held);
    held = essence(held);
  }
  for (const auto& [name, row] : must) {
    if (row == core::Row{}) continue;
    const auto it = held.find(name);
    const auto found =
        it == held.end() ? core::Row{} : core::merge_rows({}, it->second, {}, {}, ranks);
    if (found != row) {
      out += fmt::format("{} {}: the book says\n  {}\nand it must say\n  {}\n", name.first,
                         storage::describe_identity(name.second), describe(found), describe(row));
    }
  }
  for (const auto& [name, row] : held) {
    if (!must.contains(name)) {
      out += fmt::format("{} {}: nobody sent it, the book says\n  {}\n", name.first,
                         storage::describe_identity(name.second), describe(row));
    }
  }
  return out;
}

std::string Oracle::audit_tables(Site& site) {
  storage::Connection db(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  db.exec(schema_);
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  db.exec("PRAGMA foreign_keys = OFF");
  const core::Ranks ranks(streams_);
  std::map<std::string, std::vector<std::pair<core::Stamp, Name>>> order;
  for (const auto& table : storage::ordinary_tables(db)) order[table];
  for (auto& [table, rows] : order) {
    const auto info = storage::read_table(db, table);
    std::set<std::uint32_t> unique;
    for (const auto k : info.key) unique.insert(column_of(table, info.columns[k].name));
    for (const auto& u : info.uniques) {
      for (const auto c : u.columns) unique.insert(column_of(table, info.columns[c].name));
    }
    const std::vector<std::uint32_t> claims(unique.begin(), unique.end());
    for (const auto& [name, row] : rows_) {
      if (name.first == table && core::is_alive(row))
        rows.emplace_back(core::claim(row, claims, ranks), name);
    }
    std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return core::stamp_less(b.first, a.first, ranks);
      return a.second.second > b.second.second;
    });
  }
  std::string out;
  std::size_t hidden = 0;
  for (const auto& [table, rows] : order) {
    for (const auto& [claim, name] : rows) {
      const auto& row = rows_.at(name);
      std::string names, marks;
      std::vector<core::Value> values;
      for (std::uint32_t c = 0; c < columns_.size(); ++c) {
        const auto* cell = core::winner(row, c, ranks);
        if (!cell) continue;
        names += (names.empty() ? "" : ", ") + storage::quote_name(columns_[c].second);
        marks += marks.empty() ? "?" : ", ?";
        values.push_back(cell->value);
      }
      storage::Statement s(db, fmt::format("INSERT INTO {}({}) VALUES({})",
                                           storage::quote_name(table), names, marks));
      int i = 1;
      for (const auto& v : values) s.bind(i++, v);
      hidden += s.try_run() == SQLITE_OK ? 0 : 1;
    }
    const auto must = dump_table(db.handle(), table), is = site.dump(table);
    if (must != is) out += fmt::format("{} holds\n{}and must hold\n{}", table, is, must);
  }
  const auto listed = site.store().conflicts();
  if (!listed.ok()) return out + "conflicts: " + listed.status().to_string() + "\n";
  const auto said = static_cast<std::size_t>(std::count_if(
      listed->begin(), listed->end(), [](const Conflict& c) { return c.kind == "hidden"; }));
  if (said != hidden) out += fmt::format("{} rows are hidden, {} are listed\n", hidden, said);
  return out;
}

}  // namespace mycelial::test
