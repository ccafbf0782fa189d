// SPDX-License-Identifier: Apache-2.0
// The list of values that somebody wrote and nobody sees: what met here, what the authors of sets
// overruled knowingly, what the maker of a cut had listed, and what peers list (lists.cpp). So all
// replicas list the same.
#include <tuple>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::int64_t kListedMax = 10000;

core::Overruled overruled_at(const std::string& table, Statement& s) {
  return {table,
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
         "DELETE FROM mycelial_conflict WHERE id IN (SELECT id FROM mycelial_conflict ORDER BY at "
         "DESC LIMIT -1 OFFSET ?1)")
      .bind(1, conflicts_max())
      .run();
}

/// Call before the list, or what its tables are called, changes.
void StoreImpl::list_changes() {
  list_sum_.reset();
  list_grew_ = true;
}

/// Of each value there is one entry, the greatest of all that ever came, in whatever order:
/// "dismissed superseded" takes the place of what was "superseded", unless that was written later.
void StoreImpl::note_conflict(std::uint32_t table, const core::Overruled& o) {
  const bool dismisses = o.kind.starts_with(kDismissed);
  const auto kind = std::string_view(o.kind).substr(dismisses ? kDismissed.size() : 0);
  const auto is_greater = [&](Statement& than) {
    const auto theirs =
        std::tuple(than.number(1), than.integer(2) != 0, than.text(3), than.text(4));
    return std::tuple(o.at_ms, dismisses, std::string_view(o.winner), std::string_view(o.rule)) >
           theirs;
  };
  std::int64_t id = 0;
  {
    Use found(db_.cached(
        "SELECT id, at, kind <> ?4, winner, rule FROM mycelial_conflict WHERE tbl = ?1 AND ident = "
        "?2 AND col = ?3 AND value = ?5 AND kind IN (?4, 'dismissed ' || ?4)"));
    found->bind(1, table).bind_blob(2, o.identity).bind_text(3, o.column).bind_text(4, kind);
    found->bind_text(5, o.value);
    if (found->step()) {
      if (!is_greater(*found)) return;
      id = found->integer(0);
    }
  }
  list_changes();
  if (id != 0) db_.cached("DELETE FROM mycelial_conflict WHERE id = ?1").bind(1, id).run();
  auto& insert = db_.cached(
      "INSERT INTO mycelial_conflict(tbl, ident, col, kind, value, winner, rule, at) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  insert.bind(1, table).bind_blob(2, o.identity).bind_text(3, o.column).bind_text(4, o.kind);
  insert.bind_text(5, o.value).bind_text(6, o.winner).bind_text(7, o.rule).bind(8, o.at_ms).run();
}

std::optional<core::Overruled> StoreImpl::listed(std::uint32_t table, ByteView identity,
                                                 const std::string& column,
                                                 const std::string& value) {
  Use s(db_.cached(
      "SELECT tbl, ident, col, kind, value, winner, rule, at FROM mycelial_conflict "
      "WHERE tbl = ?1 AND ident = ?2 AND col = ?3 AND value = ?4 AND kind = 'superseded'"));
  s->bind(1, table).bind_blob(2, identity).bind_text(3, column).bind_text(4, value);
  if (!s->step()) return {};
  return overruled_at(wire_name(db_, table), *s);
}

void StoreImpl::for_each_overruled(const std::function<void(const core::Overruled&)>& give) {
  Statement s(db_,
              "SELECT tbl, ident, col, kind, value, winner, rule, at FROM mycelial_conflict "
              "ORDER BY at, id");
  std::map<std::int64_t, std::string> names;
  while (s.step()) {
    auto& name = names[s.integer(0)];
    if (name.empty()) name = wire_name(db_, static_cast<std::uint32_t>(s.number(0)));
    give(overruled_at(name, s));
  }
}

}  // namespace mycelial::storage
