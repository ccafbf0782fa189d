// SPDX-License-Identifier: Apache-2.0
#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

Bytes encode_record(const RowState& state) {
  Bytes out;
  put_varint(out, state.times.size());
  for (const auto t : state.times) put_varint(out, t);
  out += state.shape;
  return out;
}

RowState decode_record(ByteView data) {
  ByteReader in(data);
  RowState out;
  out.times.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  for (auto& t : out.times) t = in.varint();
  out.shape = in.bytes(in.left());
  return out;
}

}  // namespace

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

BookRow StoreImpl::find_row(std::uint32_t table, TableIo* io, ByteView identity) {
  BookRow out;
  if (io && io->has_rowid()) {
    std::optional<std::int64_t> rowid;
    const auto local = local_identity(identity);
    rowid = local ? segments_->find_rowid(table, *local) : io->find_key(identity);
    if (rowid) {
      if (auto entry = segments_->find(table, *rowid); entry && entry->hidden == local) {
        out.place = BookRow::Place::segment;
        out.rowid = *rowid;
        out.state = std::move(entry->state);
        return out;
      }
    }
  }
  Use s(db_.cached("SELECT status, data FROM mycelial_row WHERE tbl = ?1 AND ident = ?2"));
  s->bind(1, table).bind_blob(2, identity);
  if (s->step()) {
    out.place = BookRow::Place::record;
    out.status = static_cast<RowStatus>(s->integer(0));
    out.state = decode_record(s->blob(1));
  }
  return out;
}

core::Row StoreImpl::unpack(const BookRow& row, TableIo* io) {
  if (row.place == BookRow::Place::none) return {};
  static const std::vector<std::uint32_t> none;
  return unpack_row(row.state.shape, row.state.times, row.shown() && io ? io->column_ids() : none);
}

void StoreImpl::put_segment(std::uint32_t table, std::int64_t rowid, const core::Row& row,
                            ByteView identity) {
  segments_->put(table, {rowid, pack_row(row), local_identity(identity)});
}

void StoreImpl::put_record(std::uint32_t table, ByteView identity, RowStatus status,
                           const core::Row& row, ByteView blocker) {
  const Bytes data = encode_record(pack_row(row));
  Statement& s = db_.cached(
      "INSERT INTO mycelial_row VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE "
      "SET status = ?3, data = ?4, blocker = ?5, at = CASE status WHEN ?3 THEN at ELSE ?6 END");
  s.bind(1, table).bind_blob(2, identity).bind(3, static_cast<int>(status)).bind_blob(4, data);
  if (blocker.empty()) {
    s.bind_null(5);
  } else {
    s.bind_blob(5, blocker);
  }
  s.bind(6, status == RowStatus::shown || status == RowStatus::dead ? 0 : now_ms());
  s.run();
  if (status == RowStatus::hidden) hidden_known_[table] = true;
}

void StoreImpl::erase_record(std::uint32_t table, ByteView identity) {
  db_.cached("DELETE FROM mycelial_row WHERE tbl = ?1 AND ident = ?2")
      .bind(1, table)
      .bind_blob(2, identity)
      .run();
}

bool StoreImpl::has_hidden(std::uint32_t table) {
  const auto known = hidden_known_.find(table);
  if (known != hidden_known_.end()) return known->second;
  Statement s(db_, "SELECT 1 FROM mycelial_row WHERE tbl = ?1 AND status = 2 LIMIT 1");
  return hidden_known_[table] = s.bind(1, table).step();
}

}  // namespace mycelial::storage
