// SPDX-License-Identifier: Apache-2.0
#include "storage/store_impl.hpp"

namespace mycelial::storage {

void decode_record(ByteView data, RowState& out) {
  ByteReader in(data);
  out.numbers.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  for (auto& n : out.numbers) n = in.varint();
  out.shape = in.bytes(in.left());
}

void encode_record(const RowState& state, Bytes& out) {
  out.clear();
  put_varint(out, state.numbers.size());
  for (const auto n : state.numbers) put_varint(out, n);
  out += state.shape;
}

std::optional<LocalIdentity> StoreImpl::local_identity(ByteView identity) {
  const auto hidden = hidden_identity(identity);
  if (!hidden) return std::nullopt;
  const core::Origin origin =
      hidden->site.is_baseline() ? 0 : meta_.origin_of({hidden->site, 0, 0});
  return LocalIdentity{origin, hidden->number, hidden->random};
}

core::Identity StoreImpl::wire_identity(const LocalIdentity& id) const {
  return encode_identity({meta_.stream_of(id.origin).site, id.number, id.random});
}

void StoreImpl::find_row(std::uint32_t table, TableIo* io, ByteView identity, BookRow& out) {
  out.place = BookRow::Place::none;
  if (io && io->has_rowid()) {
    const auto local = local_identity(identity);
    const auto rowid = local ? std::nullopt : io->find_key(identity);
    const bool found = local ? segments_->find(table, *local, entry_)
                             : rowid && segments_->find(table, *rowid, entry_) && !entry_.hidden;
    if (found) {
      out.place = BookRow::Place::segment;
      out.rowid = entry_.rowid;
      std::swap(out.state, entry_.state);
      return;
    }
  }
  find_record(table, identity, out);
}

void StoreImpl::find_record(std::uint32_t table, ByteView identity, BookRow& out) {
  out.place = BookRow::Place::none;
  if (!has_records(table)) return find_grave(table, identity, out);
  Use s(db_.cached("SELECT status, data FROM mycelial_row WHERE tbl = ?1 AND ident = ?2"));
  s->bind(1, table).bind_blob(2, identity);
  if (!s->step()) return find_grave(table, identity, out);
  out.place = BookRow::Place::record;
  out.status = static_cast<RowStatus>(s->integer(0));
  decode_record(s->blob(1), out.state);
}

BookRow StoreImpl::find_row(std::uint32_t table, TableIo* io, ByteView identity) {
  BookRow out;
  find_row(table, io, identity, out);
  return out;
}

void StoreImpl::unpack(const BookRow& row, TableIo* io, core::Row& out) {
  static const ColumnSet none;
  if (row.place == BookRow::Place::none) {
    out.clear();
  } else {
    unpack_row(row.state, row.shown() && io ? io->columns() : none, out);
  }
}

core::Row StoreImpl::unpack(const BookRow& row, TableIo* io) {
  core::Row out;
  unpack(row, io, out);
  return out;
}

/// The book of a row that its table shows.
void StoreImpl::put_shown(const TableIo& io, std::int64_t rowid, ByteView identity,
                          const core::Row& row) {
  pack_row(row, io.columns(), state_);
  put_shown(io, rowid, identity);
}

/// The same of a row packed in state_.
void StoreImpl::put_shown(const TableIo& io, std::int64_t rowid, ByteView identity) {
  if (io.has_rowid()) {
    const bool hard = io.info().kind == TableKind::rowid_key && is_key_identity(identity);
    segments_->put(io.info().id, rowid, state_, local_identity(identity),
                   hard ? key_witness(identity) : 0);
  } else {
    write_record(io.info().id, identity, RowStatus::shown, {});
  }
}

RecordBatch& StoreImpl::new_records() {
  if (!new_records_) new_records_ = std::make_unique<RecordBatch>(db_);
  new_records_->clear();
  return *new_records_;
}

/// The same for many rows of a table without rowids, as far as they have no record yet.
std::size_t StoreImpl::put_new_records(RecordBatch& batch, std::uint32_t table) {
  const auto added = batch.insert();
  if (added > 0) records_known_[table] = true;
  return added;
}

void StoreImpl::put_record(std::uint32_t table, ByteView identity, RowStatus status,
                           const core::Row& row, ByteView blocker) {
  pack_row(row, {}, state_);
  write_record(table, identity, status, blocker);
}

/// What it says is in state_.
void StoreImpl::write_record(std::uint32_t table, ByteView identity, RowStatus status,
                             ByteView blocker) {
  encode_record(state_, record_);
  Statement& s = db_.cached(
      "INSERT INTO mycelial_row VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE "
      "SET status = ?3, data = ?4, at = CASE status WHEN ?3 THEN at ELSE ?6 END, "
      // What the table showed when it was untracked stays known, whatever peers do to the row.
      "blocker = CASE WHEN status = 3 AND ?3 IN (1, 3) THEN ifnull(?5, blocker) ELSE ?5 END");
  s.bind(1, table).bind_blob(2, identity).bind(3, static_cast<int>(status)).bind_blob(4, record_);
  if (blocker.empty()) {
    s.bind_null(5);
  } else {
    s.bind_blob(5, blocker);
  }
  s.bind(6, status == RowStatus::shown || status == RowStatus::dead ? 0 : now_ms());
  s.run();
  records_known_[table] = true;
  if (status == RowStatus::hidden) hidden_known_[table] = true;
}

void StoreImpl::erase_record(std::uint32_t table, ByteView identity) {
  db_.cached("DELETE FROM mycelial_row WHERE tbl = ?1 AND ident = ?2")
      .bind(1, table)
      .bind_blob(2, identity)
      .run();
}

/// Rows of a table without rowids that it shows.
std::vector<core::Identity> StoreImpl::shown_records(std::uint32_t table) {
  std::vector<core::Identity> out;
  Use list(db_, "SELECT ident FROM mycelial_row WHERE tbl = ?1 AND status = 0");
  list->bind(1, table);
  while (list->step()) out.emplace_back(list->blob(0));
  return out;
}

bool StoreImpl::has_records(std::uint32_t table) {
  const auto known = records_known_.find(table);
  if (known != records_known_.end()) return known->second;
  Use s(db_, "SELECT 1 FROM mycelial_row WHERE tbl = ?1 LIMIT 1");
  return records_known_[table] = s->bind(1, table).step();
}

bool StoreImpl::has_hidden(std::uint32_t table) {
  const auto known = hidden_known_.find(table);
  if (known != hidden_known_.end()) return known->second;
  Use s(db_, "SELECT 1 FROM mycelial_row WHERE tbl = ?1 AND status = 2 LIMIT 1");
  return hidden_known_[table] = s->bind(1, table).step();
}

}  // namespace mycelial::storage
