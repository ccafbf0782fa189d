// SPDX-License-Identifier: Apache-2.0
// Graves: deaths of rows found at track. Nobody's `have` covers these births, so their deaths are
// never said by silence: they are kept for ever, in 16 bytes each or less.
#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

core::Row dead_baseline() {
  core::Row row;
  row.births = {{0, 1}};
  row.dead = {{0, 1}};
  return row;
}

}  // namespace

bool StoreImpl::has_graves(std::uint32_t table) {
  if (!has_collecting_) return false;
  const auto known = graves_known_.find(table);
  if (known != graves_known_.end()) return known->second;
  Use s(db_, "SELECT 1 FROM mycelial_grave WHERE tbl = ?1 LIMIT 1");
  return graves_known_[table] = s->bind(1, table).step();
}

bool StoreImpl::has_grave(std::uint32_t table, ByteView identity) {
  if (!has_graves(table)) return false;
  const Bytes name = grave_name(identity);
  Use s(db_.cached("SELECT 1 FROM mycelial_grave WHERE tbl = ?1 AND name = ?2"));
  s->bind(1, table).bind_blob(2, name);
  return s->step();
}

/// A death that has no record any more, as a record.
void StoreImpl::find_grave(std::uint32_t table, ByteView identity, BookRow& out) {
  if (!has_grave(table, identity)) return;
  out.place = BookRow::Place::record;
  out.status = RowStatus::dead;
  pack_row(dead_baseline(), {}, out.state);
}

void StoreImpl::bury(std::uint32_t table, ByteView identity) {
  const Bytes name = is_grave_name(identity) ? Bytes(identity) : grave_name(identity);
  db_.cached("INSERT OR IGNORE INTO mycelial_grave VALUES(?1, ?2)")
      .bind(1, table)
      .bind_blob(2, name)
      .run();
  graves_known_[table] = true;
}

}  // namespace mycelial::storage
