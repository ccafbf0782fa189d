// SPDX-License-Identifier: Apache-2.0
// The tail: sealed sets kept for peers that are behind. Beyond it a peer gets a cut: everything it
// lacks, as of one snapshot, as one unit on disk.
#include <fmt/format.h>

#include <algorithm>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::size_t kInline = 64 * 1024;              // larger sets lie in files
constexpr std::uint64_t kTailBytes = 16 * 1024 * 1024;  // kept at least, unless the file is large
constexpr std::size_t kCutsKept = 4;

core::UnitRef set_ref(const Statement& s, const core::Stream& stream) {
  core::UnitRef ref;
  ref.order = s.number(0);
  ref.kind = s.number(1) == s.number(2) ? core::UnitKind::set : core::UnitKind::fold;
  ref.stream = stream;
  ref.first = s.number(1);
  ref.last = s.number(2);
  ref.id = Hash::from(s.blob(3));
  ref.size = s.number(4);
  return ref;
}

}  // namespace

core::UnitRef StoreImpl::keep_set(const core::Header& h, const Hash& id, ByteView bytes) {
  core::UnitRef ref{id, h.kind, h.stream, h.first, h.last, bytes.size(), 0};
  const bool apart = bytes.size() > kInline;
  if (apart) files_.save(id, bytes, options_.synchronous_full);
  Statement& s = db_.cached(
      "INSERT INTO mycelial_set(stream, first, last, hash, size, data) VALUES(?1, ?2, "
      "?3, ?4, ?5, ?6)");
  s.bind(1, meta_.origin_of(h.stream)).bind(2, h.first).bind(3, h.last).bind_blob(4, id.view());
  s.bind(5, static_cast<std::uint64_t>(bytes.size()));
  if (apart) {
    s.bind_null(6);
  } else {
    s.bind_blob(6, bytes);
  }
  s.run();
  ref.order = static_cast<std::uint64_t>(db_.last_rowid());
  if (tail_bytes_ && ref.order == tail_newest_ + 1) {
    *tail_bytes_ += bytes.size();
    tail_newest_ = ref.order;
  }
  return ref;
}

std::uint64_t StoreImpl::tail_limit() {
  if (options_.tail_bytes_max) return options_.tail_bytes_max;
  const auto file = static_cast<std::uint64_t>(db_.integer("PRAGMA page_count")) *
                    static_cast<std::uint64_t>(db_.integer("PRAGMA page_size"));
  return std::max(kTailBytes, file / 20);
}

void StoreImpl::trim_tail() {
  // Counted again only if another process has sealed meanwhile.
  const auto newest = static_cast<std::uint64_t>(db_.integer("SELECT max(ord) FROM mycelial_set"));
  if (!tail_bytes_ || newest != tail_newest_) {
    tail_bytes_ = static_cast<std::uint64_t>(db_.integer("SELECT sum(size) FROM mycelial_set"));
    tail_newest_ = newest;
  }
  std::uint64_t& bytes = *tail_bytes_;
  const auto limit = tail_limit();
  while (bytes > limit) {
    Statement oldest(db_,
                     "SELECT ord, first, last, hash, size FROM mycelial_set ORDER BY ord LIMIT 1");
    if (!oldest.step()) return;
    const auto order = oldest.number(0);
    const Hash id = Hash::from(oldest.blob(3));
    bytes -= std::min(bytes, oldest.number(4));
    oldest.reset();
    Statement(db_, "DELETE FROM mycelial_set WHERE ord = ?1").bind(1, order).run();
    files_.remove(id);
  }
}

std::optional<Hash> StoreImpl::hash_at(const core::Stream& stream, std::uint64_t seq) const {
  const auto it = have().find(stream);
  if (it == have().end() || seq > it->second.seq) return std::nullopt;
  if (it->second.seq == seq) return it->second.hash;
  std::optional<Hash> out;
  const auto origin = meta_.find_origin(stream);
  (void)guard([&] {
    Statement s(db_,
                "SELECT hash FROM mycelial_set WHERE stream = ?1 AND last = ?2 AND first = ?2");
    if (s.bind(1, *origin).bind(2, seq).step()) out = Hash::from(s.blob(0));
  });
  return out;
}

std::optional<std::vector<core::UnitRef>> StoreImpl::tail(const core::Stream& stream,
                                                          std::uint64_t first,
                                                          std::uint64_t last) const {
  const auto origin = meta_.find_origin(stream);
  if (!origin || first > last) return std::nullopt;
  std::vector<core::UnitRef> out;
  std::uint64_t next = first;
  const Status status = guard([&] {
    Statement s(
        db_,
        "SELECT ord, first, last, hash, size, data IS NULL FROM mycelial_set WHERE stream = "
        "?1 AND last >= ?2 ORDER BY last LIMIT 4096");
    s.bind(1, *origin).bind(2, first);
    while (s.step() && next <= last) {
      const auto ref = set_ref(s, stream);
      if (ref.first > next) break;
      if (s.integer(5) != 0 && !files_.map(ref.id)) break;  // its file is gone: only a cut helps
      out.push_back(ref);
      next = ref.last + 1;
    }
  });
  if (!status.ok() || out.empty()) return std::nullopt;
  return out;
}

Result<Bytes> StoreImpl::read(const core::UnitRef& unit, std::uint64_t offset,
                              std::size_t size) const {
  Bytes out;
  const Status status = guard([&] {
    const auto part = [&](ByteView all) {
      out = offset < all.size() ? all.substr(offset, size) : ByteView();
    };
    if (unit.kind != core::UnitKind::cut) {
      const auto origin = meta_.find_origin(unit.stream);
      Use s(db_.cached(
          "SELECT data FROM mycelial_set WHERE stream = ?1 AND last = ?2 AND hash = ?3"));
      s->bind(1, origin.value_or(0)).bind(2, unit.last).bind_blob(3, unit.id.view());
      if (s->step() && !s->is_null(0)) return part(s->blob(0));
    }
    const auto file = files_.map(unit.id);
    if (!file) throw StorageError(Errc::not_found, "the unit has left the tail");
    part(file->view());
  });
  if (!status.ok()) return status;
  return out;
}

namespace {

/// True if the peer may lack something of this row.
bool is_news(const core::Row& row, const std::vector<std::uint64_t>& peer) {
  const auto lacks = [&](const core::Mark& m) {
    return m.origin == 0 ? m.seq > 0 : m.origin >= peer.size() || peer[m.origin] < m.seq;
  };
  const auto birth_lacks = [&](const core::Mark& m) { return m.origin != 0 && lacks(m); };
  return std::any_of(row.killers.begin(), row.killers.end(), lacks) ||
         std::any_of(row.births.begin(), row.births.end(), birth_lacks) ||
         std::any_of(row.writes.begin(), row.writes.end(),
                     [&](const core::Write& w) { return lacks(w.carrier); });
}

constexpr std::uint32_t kNowhere = ~0u;

/// The schema of a table's rows in a cut: every column that anybody has, by stable id.
core::Schema cut_schema(Connection& db, std::uint32_t id, std::vector<std::uint32_t>& places) {
  core::Schema schema;
  schema.table = wire_name(db, id);
  schema.formerly = former_names(db, id);
  for (auto& [column, name] : column_names(db, id)) {
    places.resize(column + 1, kNowhere);
    places[column] = static_cast<std::uint32_t>(schema.columns.size());
    schema.columns.push_back(std::move(name));
  }
  return schema;
}

/// A record as it was, with what the table is called by now.
core::Schema with_names(Connection& db, core::Schema schema) {
  const auto id = find_table(db, schema.table);
  if (!id) return schema;
  schema.formerly = former_names(db, *id);
  if (!schema.formerly.empty()) schema.formerly.push_back(wire_name(db, *id));
  std::erase(schema.formerly, schema.table);
  return schema;
}

/// The body of a cut in the making.
class CutBody {
 public:
  CutBody(Connection& db, const Meta& meta) : db_(db), meta_(meta) {}

  void add_schema(const core::Schema& schema) { writer_.add_schema(schema); }

  /// A row, by stable column ids. Cells without value are of columns that were dropped here.
  void add(std::uint32_t table, const core::Identity& identity, core::Row row) {
    auto it = schemas_.find(table);
    if (it == schemas_.end()) {
      std::vector<std::uint32_t> places;
      auto schema = cut_schema(db_, table, places);
      writer_.add_schema(schema);
      it = schemas_.emplace(table, std::pair(std::move(schema), std::move(places))).first;
    }
    const auto& [schema, places] = it->second;
    std::erase_if(row.cells, [&](const core::Cell& c) {
      return c.column >= places.size() || places[c.column] == kNowhere ||
             c.value.type == core::Value::Type::in_table;
    });
    for (auto& c : row.cells) c.column = places[c.column];
    writer_.add_row(schema, schema.hash(), {identity, std::move(row)},
                    [this](core::Origin o) -> const core::Stream& { return meta_.stream_of(o); });
  }

  Bytes finish() { return writer_.finish(); }

 private:
  Connection& db_;
  const Meta& meta_;
  codec::BodyWriter writer_;
  std::map<std::uint32_t, std::pair<core::Schema, std::vector<std::uint32_t>>> schemas_;
};

/// Gives the cells of a shown row their values, and the row's key. They live until io.release().
std::optional<core::Identity> fill(TableIo& io, const RowRef& at, core::Row& row) {
  const auto values = io.read(at);
  if (!values) return std::nullopt;
  for (auto& c : row.cells) {
    const auto p = io.position_of(c.column);
    if (p && c.value.type == core::Value::Type::in_table) c.value = (*values)[*p];
  }
  return io.key_of(*values).value_or(core::Identity());
}

}  // namespace

core::Header StoreImpl::cut_header(const std::vector<std::pair<core::Stream, core::Tip>>& tips) {
  core::Header h;
  h.kind = core::UnitKind::cut;
  h.stream = meta_.own_stream();
  for (const auto& [stream, tip] : tips) {
    const auto ours = have().find(stream);
    if (ours == have().end() || tip.seq == 0) continue;
    h.base.emplace_back(stream, core::Tip{std::min(tip.seq, ours->second.seq), tip.hash});
  }
  for (const auto& entry : have()) h.have.push_back(entry);
  return h;
}

Bytes StoreImpl::cut_body(const core::Header& header) {
  std::vector<std::uint64_t> peer(meta_.origins());
  for (const auto& [stream, tip] : header.base) peer[*meta_.find_origin(stream)] = tip.seq;
  CutBody body(db_, meta_);
  // Sets that follow the cut refer to records that travelled in sets which the peer never gets.
  std::vector<Hash> records_known;
  {
    Statement all(db_, "SELECT hash FROM mycelial_schema ORDER BY hash");
    while (all.step()) records_known.push_back(Hash::from(all.blob(0)));
  }
  for (const auto& hash : records_known) {
    const auto* schema = schema_of(hash);
    if (!schema) throw StorageError(Errc::corrupt, "a schema record is damaged");
    body.add_schema(with_names(db_, *schema));
  }
  for (const auto& [id, owner] : tables_) {
    TableIo& io = *owner;
    segments_->for_each(id, [&, table = id](const RowEntry& e) {
      core::Row row;
      unpack_row(e.state, io.columns(), row);
      if (!is_news(row, peer)) return true;
      const auto key = fill(io, {e.rowid, {}}, row);
      if (key) body.add(table, e.hidden ? wire_identity(*e.hidden) : *key, std::move(row));
      io.release();
      return true;
    });
  }
  Statement records(db_, "SELECT tbl, ident FROM mycelial_row ORDER BY tbl, ident");
  while (records.step()) {
    const auto id = static_cast<std::uint32_t>(records.number(0));
    const core::Identity identity(records.blob(1));
    const auto at = find_row(id, nullptr, identity);
    TableIo* io = table(id);
    auto row = unpack(at, io);
    if (!is_news(row, peer)) continue;
    if (at.shown() && io) fill(*io, {0, identity}, row);
    body.add(id, identity, std::move(row));
    if (io) io->release();
  }
  return body.finish();
}

Result<core::UnitRef> StoreImpl::cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                                     const std::vector<Hash>& resume) {
  for (const auto& id : resume) {
    const auto it = cuts_.find(id);
    if (it != cuts_.end() && files_.map(id)) return it->second;
  }
  core::UnitRef ref;
  const Status status = write([&] {
    seal_journal();
    segments_->flush();
    core::Header h = cut_header(tips);
    const Bytes body = cut_body(h);
    h.body_bytes = body.size();
    const Bytes bytes = codec::encode_unit(h, body);
    const auto view = codec::decode_unit(bytes);
    if (!view.ok()) throw StorageError(Errc::internal, "made a cut that cannot be read");
    files_.save(view->id, bytes, options_.synchronous_full);
    ref = {view->id, core::UnitKind::cut, h.stream, 0, 0, bytes.size(), 0};
  });
  if (!status.ok()) return status;
  while (cuts_.size() >= kCutsKept && !cuts_.contains(ref.id)) {
    files_.remove(cuts_.begin()->first);
    cuts_.erase(cuts_.begin());
  }
  cuts_[ref.id] = ref;
  return ref;
}

Status StoreImpl::stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) {
  return guard([&] {
    const Status status = staging_.add(unit, offset, bytes);
    if (!status.ok()) throw StorageError(status.code(), std::string(status.message()));
  });
}
std::vector<core::ByteRange> StoreImpl::missing(const core::UnitRef& unit) const {
  return staging_.missing(unit);
}
std::vector<core::UnitRef> StoreImpl::staged() const {
  return staging_.list();
}
void StoreImpl::drop_staged(const Hash& unit) {
  staging_.drop(unit);
}

}  // namespace mycelial::storage
