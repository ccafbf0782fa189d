// SPDX-License-Identifier: Apache-2.0
// Beyond the tail a peer gets a cut: everything it lacks, as of one snapshot, as one unit on disk.
// Memory stays small however large the cut, and nobody waits for the write lock meanwhile.
#include <algorithm>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
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
constexpr std::size_t kCutsKept = 4;
constexpr std::size_t kWriteBytes = 1 << 20;  // gathered before they go to the file
constexpr int kSnapshots = 5;                 // tried, before writers have to wait

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
  for (auto& choice : policy_choices(db, id)) {
    const auto all = static_cast<std::uint32_t>(schema.columns.size());
    const bool whole = choice.column == kWholeTable;
    const auto place = choice.column < places.size() ? places[choice.column] : kNowhere;
    if (!whole && place == kNowhere) continue;
    const auto index = policy_index(choice, place, all);
    schema.policies.push_back({index, choice.name, choice.at_ms, choice.seen_ms});
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
  CutBody(Connection& db, const Meta& meta, ScratchFile& file)
      : db_(db), meta_(meta), file_(file) {}

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
    const auto& schema = it->second.first;
    const auto& places = it->second.second;
    std::erase_if(row.cells, [&](const core::Cell& c) {
      return c.column >= places.size() || places[c.column] == kNowhere ||
             c.value.type == core::Value::Type::in_table;
    });
    for (auto& c : row.cells) c.column = places[c.column];
    writer_.add_row(schema, schema.hash(), {identity, std::move(row)},
                    [this](core::Origin o) -> const core::Stream& { return meta_.stream_of(o); });
    if (writer_.finished_bytes() > kWriteBytes) file_.append(writer_.take());
  }

  void add(const core::Overruled& overruled) { writer_.add_overruled(overruled); }

  void finish() { file_.append(writer_.finish()); }

 private:
  Connection& db_;
  const Meta& meta_;
  ScratchFile& file_;
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
  for (const auto& entry : have()) h.have.emplace_back(entry);
  h.floor = meta_.floors();
  // Of who lacks a death that we may have forgotten nobody knows what else it lists.
  h.full = std::ranges::any_of(h.floor, [&](const auto& floor) {
    const auto theirs =
        std::ranges::find(tips, floor.first, &std::pair<core::Stream, core::Tip>::first);
    return theirs == tips.end() || theirs->second.seq < floor.second;
  });
  return h;
}

void StoreImpl::cut_body(const core::Header& header, ScratchFile& file) {
  std::vector<std::uint64_t> peer(meta_.origins());
  for (const auto& [stream, tip] : header.base) peer[*meta_.find_origin(stream)] = tip.seq;
  CutBody body(db_, meta_, file);
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
  if (header.full) {
    core::Row dead;
    dead.dead = {{0, 1}};
    Statement graves(db_, "SELECT tbl, name FROM mycelial_grave ORDER BY tbl, name");
    while (graves.step()) {
      body.add(static_cast<std::uint32_t>(graves.number(0)), core::Identity(graves.blob(1)), dead);
    }
  }
  for (const auto& [id, owner] : tables_) {
    TableIo& io = *owner;
    segments_->for_each(id, [&, table = id](const RowEntry& e) {
      core::Row row;
      unpack_row(e.state, io.columns(), row);
      if (!header.full && !is_news(row, peer)) return true;
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
    if (!header.full && !is_news(row, peer)) continue;
    if (at.shown() && io) fill(*io, {0, identity}, row);
    body.add(id, identity, std::move(row));
    if (io) io->release();
  }
  for_each_overruled([&](const core::Overruled& overruled) { body.add(overruled); });
  body.finish();
}

/// Makes a unit for a peer of its two parts.
core::UnitRef StoreImpl::keep_unit(const core::Header& header, const ScratchFile& body,
                                   const std::string& name) {
  ScratchFile unit(files_, name);
  unit.append(codec::encode_unit_head(header, body.size()));
  if (body.size() > 0) unit.append(body.map()->view());
  const auto bytes = unit.map();
  const auto view = codec::decode_unit(bytes->view());
  if (!view.ok()) throw StorageError(Errc::internal, "made a unit that cannot be read");
  unit.keep(view->id, options_.synchronous_full);
  return {view->id, header.kind, header.stream, 0, 0, bytes->view().size(), 0};
}

/// Of what this transaction sees, whose journal is empty.
core::UnitRef StoreImpl::make_cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips) {
  const core::Header header = cut_header(tips);
  ScratchFile body(files_, "cut-body");
  cut_body(header, body);
  return keep_unit(header, body, "cut");
}

Result<core::UnitRef> StoreImpl::cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                                     const std::vector<Hash>& resume) {
  for (const auto& id : resume) {
    const auto it = cuts_.find(id);
    if (it != cuts_.end() && files_.map(id)) return it->second;
  }
  core::UnitRef ref;
  bool made = false;
  const auto make = [&] {
    ref = make_cut(tips);
    made = true;
  };
  for (int left = kSnapshots; !made; --left) {
    Status status = write([&] {
      seal_journal();
      segments_->flush();
      if (left == 0) make();
    });
    if (status.ok() && !made) {
      status = read_only([&] {
        if (count_journal(db_, 1) == 0) make();  // else somebody has written meanwhile
      });
    }
    if (!status.ok()) return status;
  }
  while (cuts_.size() >= kCutsKept && !cuts_.contains(ref.id)) {
    files_.remove(cuts_.begin()->first);
    cuts_.erase(cuts_.begin());
  }
  cuts_[ref.id] = ref;
  return ref;
}

}  // namespace mycelial::storage
