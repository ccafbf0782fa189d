// SPDX-License-Identifier: Apache-2.0
// What people ask: status, digest, check.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "storage/sqlite_bugs.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {

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
  out.sqlite_warning = known_bug(sqlite3_libversion_number());
  const Status status = read_only([&] {
    const bool any = Meta::exists(db_);
    for (const auto& name : ordinary_tables(db_)) {
      if (any && tracked_here(name)) continue;
      out.untracked.push_back({name, false, why_left_out(name)});
    }
    if (!any) return;
    out.site = meta_.site().hex();
    out.retention_s = retention_ms() / 1000;
    out.conflicts_max = conflicts_max();
    for (const auto& [id, io] : tables_) {
      out.tables.push_back({io->info().name, true, {}});
    }
    for (const auto& note : app_triggers_.notes()) out.notes.push_back(note);
    out.journal_entries = count_journal(db_, std::numeric_limits<std::int64_t>::max());
    for (const auto& [stream, tip] : have()) out.sets_held += tip.seq;
    out.streams = have().size();
    const auto own = own_sets();
    out.own_sets = own.sealed;
    out.own_sets_elsewhere = own.elsewhere;
    out.own_sets_everywhere = own.everywhere;
    out.tail_sets = static_cast<std::uint64_t>(db_.integer("SELECT count(*) FROM mycelial_set"));
    out.tail_bytes = static_cast<std::uint64_t>(db_.integer("SELECT sum(size) FROM mycelial_set"));
    Statement s(db_, "SELECT status, count(*) FROM mycelial_row WHERE status > 1 GROUP BY status");
    while (s.step()) {
      (s.integer(0) == static_cast<int>(RowStatus::parked) ? out.parked_rows : out.hidden_rows) +=
          s.number(1);
    }
    out.superseded = static_cast<std::uint64_t>(
        db_.integer("SELECT count(*) FROM mycelial_conflict WHERE kind NOT LIKE 'dismissed %'"));
    if (db_.text("PRAGMA journal_mode") != "wal" && !tables_.empty()) {
      out.notes.emplace_back("journal_mode is not WAL: readers and syncing block each other");
    }
  });
  if (!status.ok()) return status;
  out.notes.insert(out.notes.end(), notes_.begin(), notes_.end());
  if (!damaged_.empty()) {
    out.notes.push_back(fmt::format(
        "{} change sets kept for peers are damaged: is the disk sound? mycelial check says more",
        damaged_.size()));
  }
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
    for (const auto& set : damaged_sets()) {
      out.push_back(fmt::format(
          "the change set {} of site {}, kept for peers, is damaged: is the disk sound? Peers get "
          "rows instead",
          set.last, set.stream.site.hex().substr(0, 8)));
    }
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
