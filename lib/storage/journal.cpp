// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdlib>

#include "storage/capture.hpp"

namespace mycelial::storage {
namespace {

constexpr std::uint32_t kMaskBits = 62;

/// julianday() -> ms since 1970.
std::uint64_t ms_of(double day) {
  const double ms = (day - 2440587.5) * 86400000.0 + 0.5;
  return ms > 0 && ms < 9e15 ? static_cast<std::uint64_t>(ms) : 0;
}

ColumnMask read_mask(const Statement& s, int i) {
  ColumnMask out;
  const auto word = [&](std::uint64_t bits, std::uint32_t number) {
    for (std::uint32_t b = 0; bits >> b != 0 && b < kMaskBits; ++b) {
      if (bits >> b & 1) out.set(number * kMaskBits + b);
    }
  };
  if (sqlite3_column_type(s.handle(), i) == SQLITE_INTEGER) {
    word(s.number(i), 0);
    return out;
  }
  const std::string text(s.text(i));
  const char* at = text.c_str();
  for (std::uint32_t n = 0; *at; ++n) {
    char* end = nullptr;
    word(std::strtoull(at, &end, 10), n);
    at = *end == ',' ? end + 1 : end;
    if (at == end && *end) break;
  }
  return out;
}

}  // namespace

void read_journal(Connection& db, std::uint64_t after,
                  const std::function<void(const JournalEntry&)>& f) {
  Statement s(db, "SELECT * FROM mycelial_journal WHERE jn > ?1 AND what > 0 ORDER BY jn");
  s.bind(1, after);
  const int columns = s.columns();
  JournalEntry e;
  while (s.step()) {
    e.number = s.number(0);
    const auto what = s.number(1);
    e.table = static_cast<std::uint32_t>(what >> 3);
    e.op = static_cast<Op>(what & 7);
    e.row = s.integer(2);
    e.mask = s.is_null(3) ? ColumnMask() : read_mask(s, 3);
    e.ms = ms_of(sqlite3_column_double(s.handle(), 4));
    e.random = static_cast<std::uint32_t>(s.number(5));
    e.key.clear();
    for (int i = 6; i < columns; ++i) e.key.push_back(s.value(i));
    f(e);
  }
}

std::uint64_t count_journal(Connection& db, std::uint64_t limit) {
  Statement& s =
      db.cached("SELECT count(*) FROM (SELECT 1 FROM mycelial_journal WHERE what > 0 LIMIT ?1)");
  Use use(s);
  s.bind(1, limit).step();
  return s.number(0);
}

void clear_journal(Connection& db, std::uint64_t last) {
  db.exec("DELETE FROM mycelial_journal");  // no WHERE: SQLite drops the pages unread
  db.cached("INSERT INTO mycelial_journal(jn, what) VALUES(?1, 0)").bind(1, last).run();
}

}  // namespace mycelial::storage
