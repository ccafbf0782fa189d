// SPDX-License-Identifier: Apache-2.0
// Bytes on the wire, against a changeset of SQLite's session extension for the same statements.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

constexpr double kTarget = 0.6;

/// What the session extension records of `work` on `db`.
double changeset_bytes(Database& db, const std::function<void()>& work) {
  sqlite3_session* session = nullptr;
  int size = 0;
  void* data = nullptr;
  if (sqlite3session_create(db.handle(), "main", &session) != SQLITE_OK ||
      sqlite3session_attach(session, "t") != SQLITE_OK) {
    std::fputs("no session extension\n", stderr);
    std::exit(1);
  }
  work();
  sqlite3session_changeset(session, &size, &data);
  sqlite3_free(data);
  sqlite3session_delete(session);
  return size;
}

void wire_kind(Lab& lab, Kind kind, std::int64_t rows) {
  const Shape shape{kind, true};
  Node node(lab.path("wire.db"), shape);
  remove_database(lab.path("wire-plain.db"));
  Database plain(lab.path("wire-plain.db"));
  plain.exec(create_sql(shape));
  Writer ours(node.client(), shape), other(plain, shape);
  ours.insert(-1);  // the first set tells the schema; those to come do not
  node.seal();
  const bool keyless = kind == Kind::keyless;  // the session extension does not see such tables
  const auto measure = [&](Writer::Op op, const char* what, double per) {
    const auto before = node.sealed();
    ours.run(op, 1, rows, 1000, 1);
    node.seal();
    const auto bytes = static_cast<double>(bytes_of(node.sets(before + 1)));
    const double session = changeset_bytes(plain, [&] { other.run(op, 1, rows, 1000, 1); });
    const double n = static_cast<double>(rows) * per;
    const auto name = fmt::format("{}, {}, {} rows in a set", what, name_of(kind), rows);
    if (keyless) {
      lab.value("wire", name, "bytes", {bytes / n, bytes / n, bytes / n}, {}, false,
                "sessions do not record tables without a key");
    } else {
      const double r = bytes / session;
      lab.value("wire", name, "x", {r, r, r}, kTarget, false,
                fmt::format("{:.1f} bytes each, session {:.1f}", bytes / n, session / n));
    }
  };
  measure(Writer::Op::insert, "inserted row of 8 columns", 1);
  measure(Writer::Op::update, "updated cell (2 of 8)", 2);
  measure(Writer::Op::erase, "deleted row", 1);
}

}  // namespace

void measure_wire(Lab& lab) {
  for (const Kind kind : {Kind::integer_key, Kind::automatic_key, Kind::text_key,
                          Kind::without_rowid, Kind::keyless}) {
    wire_kind(lab, kind, 10'000);
  }
  wire_kind(lab, Kind::integer_key, 100);
  wire_kind(lab, Kind::integer_key, 1);
}

}  // namespace mycelial::bench
