// SPDX-License-Identifier: Apache-2.0
// The list of values that somebody wrote and nobody sees. It is local: each replica lists what it
// saw meet, and what the maker of a cut had listed.
#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr const char* kOnlyNewest =
    "DELETE FROM mycelial_conflict WHERE id <= (SELECT max(id) FROM mycelial_conflict) - 10000";

}  // namespace

void StoreImpl::note_conflict(std::uint32_t table, ByteView identity, const std::string& column,
                              const char* kind, const std::string& value, const std::string& winner,
                              const char* rule) {
  Statement& s = db_.cached(
      "INSERT INTO mycelial_conflict(tbl, ident, col, kind, value, winner, rule, at) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  s.bind(1, table).bind_blob(2, identity).bind_text(3, column).bind_text(4, kind);
  s.bind_text(5, value).bind_text(6, winner).bind_text(7, rule).bind(8, now_ms());
  s.run();
  db_.cached(kOnlyNewest).run();
}

/// One that came by a cut, unless it is listed here, too.
void StoreImpl::note_conflict(const core::Overruled& o) {
  Statement& s = db_.cached(
      "INSERT INTO mycelial_conflict(tbl, ident, col, kind, value, winner, rule, at) "
      "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM mycelial_conflict "
      "WHERE tbl = ?1 AND ident = ?2 AND col = ?3 AND kind = ?4 AND value = ?5)");
  s.bind(1, table_number(db_, o.table)).bind_blob(2, o.identity).bind_text(3, o.column);
  s.bind_text(4, o.kind).bind_text(5, o.value).bind_text(6, o.winner).bind_text(7, o.rule);
  s.bind(8, o.at_ms).run();
  db_.cached(kOnlyNewest).run();
}

std::vector<core::Overruled> StoreImpl::overruled_values() {
  std::vector<core::Overruled> out;
  Statement s(db_,
              "SELECT tbl, ident, col, kind, value, winner, rule, at FROM mycelial_conflict "
              "ORDER BY id");
  while (s.step()) {
    out.push_back({wire_name(db_, static_cast<std::uint32_t>(s.number(0))),
                   core::Identity(s.blob(1)), std::string(s.text(2)), std::string(s.text(3)),
                   std::string(s.text(4)), std::string(s.text(5)), std::string(s.text(6)),
                   s.number(7)});
  }
  return out;
}

}  // namespace mycelial::storage
