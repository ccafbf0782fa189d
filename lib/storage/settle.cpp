// SPDX-License-Identifier: Apache-2.0
// UNIQUE between offline sites: one total order of rows (greatest stamp over the unique columns,
// then identity); rows are placed greedily in that order, a row is hidden if and only if a placed
// higher one holds one of its values. Hidden rows are kept whole and return when the value is free.
#include <algorithm>

#include "core/policy/part.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {

using Type = core::Value::Type;

/// The values that a row would show, by position.
std::vector<core::Value> StoreImpl::values_of(TableIo& io, const core::Row& row,
                                              std::deque<Bytes>& bytes) {
  std::vector<core::Value> out(io.column_ids().size());
  const bool merges = io.has_policies() || core::has_parts(row);
  for (std::uint32_t i = 0; i < out.size(); ++i) {
    const auto id = io.column_ids()[i];
    const auto* cell = core::winner(row, id, meta_.ranks());
    if (!cell) out[i] = io.default_of(i);
    if (!cell || cell->value.type == Type::in_table) continue;
    out[i] = cell->value;
    if (!merges || !io.merges_by_policy(row, i)) continue;
    const auto shown = core::shown_value(io.policy_of(i), row, id, meta_.ranks());
    out[i] = shown ? shown->view() : io.default_of(i);  // none if the file is damaged
    out[i].bytes = bytes.emplace_back(out[i].bytes);
  }
  return out;
}

/// Hidden rows that claim one of these values.
std::set<core::Identity> StoreImpl::claimants(TableIo& io, std::span<const core::Value> values) {
  std::set<core::Identity> out;
  for (std::size_t i = 0; i < io.indexes(); ++i) {
    const Bytes claim = io.claim_of(i, values);
    if (claim.empty()) continue;
    Use s(
        db_.cached("SELECT ident FROM mycelial_claim WHERE tbl = ?1 AND idx = ?2 AND value = ?3"));
    s->bind(1, io.info().id).bind(2, static_cast<std::int64_t>(i)).bind_blob(3, claim);
    while (s->step()) out.emplace(s->blob(0));
  }
  return out;
}

void StoreImpl::drop_claims(std::uint32_t table, ByteView identity) {
  db_.cached("DELETE FROM mycelial_claim WHERE ident = ?2 AND tbl = ?1")
      .bind(1, table)
      .bind_blob(2, identity)
      .run();
}

/// Keeps a row whole outside its table and notes what it claims. Its cells have values.
void StoreImpl::put_hidden(TableIo& io, ByteView identity, RowStatus status, const core::Row& row,
                           ByteView blocker) {
  put_record(io.info().id, identity, status, row, blocker);
  drop_claims(io.info().id, identity);
  std::deque<Bytes> bytes;
  const auto values = values_of(io, row, bytes);
  for (std::size_t i = 0; i < io.indexes(); ++i) {
    const Bytes claim = io.claim_of(i, values);
    if (claim.empty()) continue;
    db_.cached("INSERT OR IGNORE INTO mycelial_claim VALUES(?1, ?2, ?3, ?4)")
        .bind(1, io.info().id)
        .bind(2, static_cast<std::int64_t>(i))
        .bind_blob(3, claim)
        .bind_blob(4, identity)
        .run();
  }
}

/// Takes a shown row out of its table, whole.
void StoreImpl::demote(TableIo& io, ByteView identity) {
  const auto at = find_row(io.info().id, &io, identity);
  if (!at.shown()) return;
  auto row = unpack(at, &io);
  const RowRef ref{at.rowid, identity};
  if (const auto now = io.read(ref)) {
    for (auto& cell : row.cells) {
      const auto position = io.position_of(cell.column);
      if (position && cell.value.type == Type::in_table) cell.value = (*now)[*position];
    }
  }
  put_hidden(io, identity, RowStatus::hidden, row, {});
  io.release();
  io.remove(ref);
  if (io.has_rowid()) segments_->erase(io.info().id, at.rowid);
}

bool StoreImpl::is_own_loser(TableIo& io, ByteView identity, const core::Row& row) {
  if (io.info().kind != TableKind::integer_key || is_key_identity(identity)) return false;
  if (io.info().referenced) return false;
  const auto own = meta_.find_origin(meta_.own_stream());
  const auto births = core::alive(row);
  return own && std::any_of(births.begin(), births.end(),
                            [&](const core::Mark& m) { return m.origin == *own; });
}

core::Identity StoreImpl::identity_of(TableIo& io, const TableIo::Holder& holder) {
  if (!io.has_rowid()) return holder.key;
  if (segments_->find(io.info().id, holder.rowid, entry_) && entry_.hidden) {
    return wire_identity(*entry_.hidden);
  }
  core::Identity out;
  if (const auto values = io.read({holder.rowid, {}})) {
    out = io.key_of(*values).value_or(core::Identity());
  }
  io.release();
  return out;
}

struct StoreImpl::Rival {
  core::Identity identity;
  core::Row row;
  core::Stamp claim;
  std::unique_ptr<BookRow> at;  // owns the bytes that the row's values view
};

/// Everybody connected to the contested rows by a shared value, alive, in the order of placing.
/// Takes the shown ones out of their table.
std::vector<StoreImpl::Rival> StoreImpl::rivals_of(TableIo& io,
                                                   std::set<core::Identity> contested) {
  const std::uint32_t table_number = io.info().id;
  std::set<core::Identity> rivals;
  while (!contested.empty()) {
    const auto id = contested.extract(contested.begin()).value();
    if (!rivals.insert(id).second) continue;
    demote(io, id);
    const auto at = find_row(table_number, &io, id);
    const auto row = unpack(at, nullptr);
    if (!core::is_alive(row)) continue;
    std::deque<Bytes> bytes;
    const auto values = values_of(io, row, bytes);
    for (std::size_t i = 0; i < io.indexes(); ++i) {
      if (const auto holder = io.holder(i, values)) contested.insert(identity_of(io, *holder));
    }
    contested.merge(claimants(io, values));
  }
  std::vector<Rival> order;
  const auto unique = io.unique_columns();
  for (const auto& id : rivals) {
    Rival r;
    r.identity = id;
    r.at = std::make_unique<BookRow>(find_row(table_number, nullptr, id));
    r.row = unpack(*r.at, nullptr);
    if (!core::is_alive(r.row)) continue;
    r.claim = core::claim(r.row, unique, meta_.ranks());
    order.push_back(std::move(r));
  }
  std::sort(order.begin(), order.end(), [&](const Rival& a, const Rival& b) {
    if (a.claim != b.claim) return core::stamp_less(b.claim, a.claim, meta_.ranks());
    return a.identity > b.identity;
  });
  return order;
}

/// Books a row that has just been inserted into its table.
void StoreImpl::book_shown(TableIo& io, Rival& r, std::int64_t rowid) {
  const std::uint32_t table_number = io.info().id;
  erase_record(table_number, r.identity);
  drop_claims(table_number, r.identity);
  for (std::size_t i = 0; i < r.row.cells.size(); ++i) {
    if (io.holds(r.row, i, meta_.ranks())) r.row.cells[i].value = core::Value::in_table();
  }
  put_shown(io, rowid, r.identity, r.row);
}

/// Shows a row if its table takes it, else keeps it hidden.
void StoreImpl::place(TableIo& io, Rival& r) {
  std::deque<Bytes> bytes;
  const auto values = values_of(io, r.row, bytes);
  std::vector<std::uint32_t> given;
  for (const auto& cell : r.row.cells) {
    if (const auto p = io.position_of(cell.column)) given.push_back(*p);
  }
  std::sort(given.begin(), given.end());
  given.erase(std::unique(given.begin(), given.end()), given.end());
  if (!io.fits(r.identity, values)) {
    return put_hidden(io, r.identity, RowStatus::broken, r.row, {});
  }
  std::int64_t rowid = 0;
  const int rc = io.insert(given, values, &rowid);
  if (rc == SQLITE_OK) return book_shown(io, r, rowid);
  const bool taken = rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
                     rc == SQLITE_CONSTRAINT_ROWID;
  core::Identity blocker;
  for (std::size_t i = 0; taken && blocker.empty() && i < io.indexes(); ++i) {
    if (const auto holder = io.holder(i, values)) blocker = identity_of(io, *holder);
  }
  put_hidden(io, r.identity, taken ? RowStatus::hidden : RowStatus::broken, r.row, blocker);
  // Another number helps only a row whose number is all that is taken. To re-key one that lost a
  // UNIQUE value would renew its claim: it would win by that, or two sites would go on outbidding
  // each other.
  const std::size_t uniques = io.info().uniques.size();
  bool lost_key = taken && is_own_loser(io, r.identity, r.row) && io.holder(uniques, values);
  for (std::size_t i = 0; lost_key && i < uniques; ++i) lost_key = !io.holder(i, values);
  if (lost_key) losers_.insert({io.info().id, r.identity});
}

void StoreImpl::settle(std::uint32_t table_number, std::set<core::Identity> contested) {
  TableIo* io = table(table_number);
  if (!io) return;
  for (auto& rival : rivals_of(*io, std::move(contested))) place(*io, rival);
  hidden_known_.erase(table_number);
}

}  // namespace mycelial::storage
