// SPDX-License-Identifier: Apache-2.0
// The list of values that somebody wrote and nobody sees: what met here, what the authors of sets
// overruled knowingly, and what the maker of a cut had listed. So all replicas list the same.
#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::int64_t kListedMax = 10000;

core::Overruled overruled_at(Connection& db, Statement& s) {
  return {wire_name(db, static_cast<std::uint32_t>(s.number(0))),
          core::Identity(s.blob(1)),
          std::string(s.text(2)),
          std::string(s.text(3)),
          std::string(s.text(4)),
          std::string(s.text(5)),
          std::string(s.text(6)),
          s.number(7)};
}

}  // namespace

std::uint64_t StoreImpl::conflicts_max() {
  const auto kept = options_.conflicts_max ? std::int64_t{options_.conflicts_max}
                                           : meta_.get_integer("conflicts_max");
  return static_cast<std::uint64_t>(kept ? kept : kListedMax);
}

/// Forgets the oldest, if there are more than the file is to keep.
void StoreImpl::trim_conflicts() {
  db_.cached(
         "DELETE FROM mycelial_conflict WHERE id <= (SELECT max(id) FROM mycelial_conflict) - ?1")
      .bind(1, conflicts_max())
      .run();
}

/// Unless it is listed already: it may come by a cut, too. "dismissed superseded" takes the place
/// of what was "superseded", and keeps it from coming back.
void StoreImpl::note_conflict(std::uint32_t table, const core::Overruled& o) {
  if (o.kind.starts_with(kDismissed)) {
    Statement& listed = db_.cached(
        "DELETE FROM mycelial_conflict WHERE tbl = ?1 AND ident = ?2 AND col = ?3 AND kind = ?4 "
        "AND value = ?5 AND at = ?6");
    listed.bind(1, table).bind_blob(2, o.identity).bind_text(3, o.column);
    listed.bind_text(4, std::string_view(o.kind).substr(kDismissed.size()));
    listed.bind_text(5, o.value).bind(6, o.at_ms).run();
  }
  Statement& s = db_.cached(
      "INSERT INTO mycelial_conflict(tbl, ident, col, kind, value, winner, rule, at) "
      "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM mycelial_conflict "
      "WHERE tbl = ?1 AND ident = ?2 AND col = ?3 AND value = ?5 AND (kind = ?4 OR kind = "
      "'dismissed ' || ?4 AND at = ?8))");
  s.bind(1, table).bind_blob(2, o.identity).bind_text(3, o.column).bind_text(4, o.kind);
  s.bind_text(5, o.value).bind_text(6, o.winner).bind_text(7, o.rule).bind(8, o.at_ms);
  s.run();
  trim_conflicts();
}

std::optional<core::Overruled> StoreImpl::listed(std::uint32_t table, ByteView identity,
                                                 const std::string& column,
                                                 const std::string& value) {
  Use s(db_.cached(
      "SELECT tbl, ident, col, kind, value, winner, rule, at FROM mycelial_conflict "
      "WHERE tbl = ?1 AND ident = ?2 AND col = ?3 AND value = ?4 AND kind = 'superseded'"));
  s->bind(1, table).bind_blob(2, identity).bind_text(3, column).bind_text(4, value);
  if (!s->step()) return {};
  return overruled_at(db_, *s);
}

std::vector<core::Overruled> StoreImpl::overruled_values() {
  std::vector<core::Overruled> out;
  Statement s(db_,
              "SELECT tbl, ident, col, kind, value, winner, rule, at FROM mycelial_conflict "
              "ORDER BY id");
  while (s.step()) out.push_back(overruled_at(db_, s));
  return out;
}

}  // namespace mycelial::storage
