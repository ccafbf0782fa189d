// SPDX-License-Identifier: Apache-2.0
// Applying: units -> rows. Local writes are sealed first, in the same transaction.
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "core/hybrid_clock.hpp"
#include "storage/applier.hpp"

namespace mycelial::storage {

using Type = core::Value::Type;

Applier::Applier(StoreImpl& store, const core::Header& header) : s_(store), header_(header) {
  origin_ = s_.meta_.origin_of(header.stream);
  const auto set = [](std::vector<std::uint64_t>& in, core::Origin at, std::uint64_t seq) {
    if (in.size() <= at) in.resize(at + 1);
    in[at] = std::max(in[at], seq);
  };
  if (header.kind == core::UnitKind::cut) {
    for (const auto& [stream, tip] : header.have) set(theirs_, s_.meta_.origin_of(stream), tip.seq);
    seen_ = theirs_;
    return;
  }
  Statement context(s_.db_, "SELECT other, seq FROM mycelial_context WHERE stream = ?1");
  context.bind(1, origin_);
  while (context.step())
    set(seen_, static_cast<core::Origin>(context.number(0)), context.number(1));
  for (const auto& [stream, tip] : header.deps) set(seen_, s_.meta_.origin_of(stream), tip.seq);
  set(seen_, origin_, header.last);
}

bool Applier::author_saw(const core::Mark& dot) const {
  return dot.origin == 0 || (dot.origin < seen_.size() && dot.seq <= seen_[dot.origin]);
}

bool Applier::held(const core::Mark& dot) const {
  const auto covered = s_.meta_.covered();
  return dot.origin < covered.size() && dot.seq <= covered[dot.origin];
}

void Applier::run(ByteView body) {
  codec::BodyReader reader(body, [this](const Hash& hash) { return s_.schema_of(hash); });
  for (;;) {
    auto item = reader.next();
    if (!item.ok()) {  // Also a schema that nobody described: its author's fault, for good.
      const bool newer = item.status().code() == Errc::version;
      throw StorageError(newer ? Errc::version : Errc::corrupt,
                         std::string(item.status().message()));
    }
    if (!*item) break;
    if ((*item)->schema) s_.remember_schema(*(*item)->schema, false);
    if ((*item)->block) apply_block(*(*item)->block);
  }
  if (header_.full) drop_unlisted();
  for (const auto& [table, rows] : contested_) s_.settle(table, rows);
  core::HybridClock clock(s_.meta_.clock);
  const auto now = s_.now_ms();
  clock.observe(newest_, now);
  s_.meta_.clock = clock.state();
  if (core::hlc_ms(newest_) > now + kClockBoundMs) {
    const std::string note = fmt::format(
        "the clock of a site seen through {} is {} s ahead of ours; its changes merge, "
        "our clock does not follow it",
        header_.stream.site.hex().substr(0, 8), (core::hlc_ms(newest_) - now) / 1000);
    const auto same = [&](const std::string& n) { return n.substr(0, 40) == note.substr(0, 40); };
    if (std::none_of(s_.notes_.begin(), s_.notes_.end(), same)) s_.notes_.push_back(note);
  }
}

Applier::Target& Applier::target(const Hash& hash) {
  const auto [it, added] = targets_.try_emplace(hash);
  Target& t = it->second;
  if (!added) return t;
  const auto* schema = s_.schema_of(hash);
  if (!schema)
    throw StorageError(Errc::corrupt, "a change set uses a schema that nobody described");
  t.id = s_.table_id(schema->table);
  t.io = s_.table(t.id);
  t.names = schema->columns;
  for (const auto& name : schema->columns) t.columns.push_back(s_.column_id(t.id, name));
  return t;
}

void Applier::apply_block(core::Block& block) {
  Target& t = target(block.schema);
  std::vector<core::Origin> origins;
  for (const auto& stream : block.origins) {
    origins.push_back(stream.site.is_baseline() ? 0 : s_.meta_.origin_of(stream));
  }
  for (auto& piece : block.rows) {
    const auto row = translate(std::move(piece.row), origins, t);
    join(t, piece.identity, row);
    if (header_.full) listed_.insert({t.id, piece.identity});
  }
}

/// Wire numbering -> ours.
core::Row Applier::translate(core::Row row, const std::vector<core::Origin>& origins,
                             const Target& t) {
  const auto origin = [&](core::Origin& o) {
    if (o >= origins.size()) throw StorageError(Errc::corrupt, "a row names an unknown origin");
    o = origins[o];
  };
  const auto marks = [&](core::Marks& in) {
    for (auto& m : in) origin(m.origin);
    if (in.size() > 1) std::sort(in.begin(), in.end());
  };
  marks(row.births);
  marks(row.dead);
  marks(row.killers);
  for (auto& w : row.writes) {
    origin(w.carrier.origin);
    origin(w.stamp.origin);
    marks(w.targets);
    newest_ = std::max(newest_, w.stamp.time);
  }
  for (auto& c : row.cells) {
    if (c.column >= t.columns.size() || c.write >= row.writes.size() ||
        c.value.type == Type::in_table) {
      throw StorageError(Errc::corrupt, "a row names an unknown column");
    }
    c.column = t.columns[c.column];
  }
  std::stable_sort(row.cells.begin(), row.cells.end(),
                   [](const core::Cell& a, const core::Cell& b) { return a.column < b.column; });
  return row;
}

void Applier::join(const Target& t, const core::Identity& identity, const core::Row& piece) {
  if (!is_key_identity(identity) && !hidden_identity(identity)) {
    throw StorageError(Errc::corrupt, "a row has a malformed identity");
  }
  kept_.clear();
  const auto before = s_.find_row(t.id, t.io, identity);
  const auto old = s_.unpack(before, t.io);
  std::vector<core::Discarded> discarded;
  auto merged =
      core::merge_rows(old, piece, s_.meta_.covered(), theirs_, s_.meta_.ranks(), &discarded);
  add_overruled(old, merged, discarded);
  if (!discarded.empty()) list_discarded(t, identity, before, merged, discarded);
  if (merged == old) return;
  ++s_.changes_.rows;
  if (!core::is_alive(merged)) {
    vanish(t, identity, before, merged);
  } else if (!t.io) {
    s_.put_record(t.id, identity, RowStatus::parked, merged);
  } else {
    show(t, identity, before, std::move(merged));
  }
  if (t.io) s_.changed_tables_.insert(t.io->info().name);
}

/// Versions written to different births stay side by side, for either may outlive the other; but
/// only one is shown. Adds those that this join put into the shade.
void Applier::add_overruled(const core::Row& old, const core::Row& merged,
                            std::vector<core::Discarded>& out) const {
  const auto& ranks = s_.meta_.ranks();
  for (const auto& cell : merged.cells) {
    const auto& write = merged.writes[cell.write];
    const auto* best = core::winner(merged, cell.column, ranks);
    if (best == &cell || merged.writes[best->write].stamp == write.stamp) continue;
    const auto* was = core::winner(old, cell.column, ranks);
    const bool in_shade = std::any_of(old.cells.begin(), old.cells.end(), [&](const auto& c) {
      return c.column == cell.column && old.writes[c.write].stamp == write.stamp &&
             old.writes[was->write].stamp != write.stamp;
    });
    if (!in_shade) out.push_back({cell, write, false});
  }
}

/// A cut that lists everything says by silence that a row is dead.
void Applier::drop_unlisted() {
  std::vector<RowName> unlisted;
  for (const auto& [table, owner] : s_.tables_) {
    TableIo* const io = owner.get();
    s_.segments_->for_each(table, [&, id = table](const RowEntry& e) {
      RowName name{id, {}};
      if (e.hidden) {
        name.identity = s_.wire_identity(*e.hidden);
      } else if (const auto values = io->read({e.rowid, {}})) {
        name.identity = io->key_of(*values).value_or(core::Identity());
      }
      io->release();
      if (!name.identity.empty() && !listed_.contains(name)) unlisted.push_back(std::move(name));
      return true;
    });
  }
  Statement records(s_.db_, "SELECT tbl, ident FROM mycelial_row");
  while (records.step()) {
    RowName name{static_cast<std::uint32_t>(records.number(0)), core::Identity(records.blob(1))};
    if (!listed_.contains(name)) unlisted.push_back(std::move(name));
  }
  for (const auto& name : unlisted) {
    Target t;
    t.id = name.table;
    t.io = s_.table(name.table);
    join(t, name.identity, {});
  }
}

core::Value Applier::keep(core::Value value) {
  if (value.bytes.empty()) return value;
  kept_.emplace_back(value.bytes);
  value.bytes = kept_.back();
  return value;
}

void Applier::contest(const Target& t, std::set<core::Identity> rows) {
  contested_[t.id].merge(rows);
}

void Applier::vanish(const Target& t, const core::Identity& identity, const BookRow& before,
                     const core::Row& merged) {
  if (before.shown() && t.io) {
    const RowRef ref{before.rowid, identity};
    if (s_.has_hidden(t.id)) {
      if (const auto values = t.io->read(ref)) contest(t, s_.claimants(*t.io, *values));
      t.io->release();
    }
    t.io->remove(ref);
    if (t.io->has_rowid()) s_.segments_->erase(t.id, before.rowid);
  } else if (before.place == BookRow::Place::record && before.status == RowStatus::hidden) {
    s_.drop_claims(t.id, identity);
  }
  s_.put_record(t.id, identity, RowStatus::dead, merged);
}

void Applier::keep_shown(const Target& t, const core::Identity& identity, std::int64_t rowid,
                         core::Row merged) {
  for (auto& cell : merged.cells) {
    if (!t.io->position_of(cell.column)) continue;
    if (core::winner(merged, cell.column, s_.meta_.ranks()) == &cell) {
      cell.value = core::Value::in_table();
    }
  }
  if (t.io->has_rowid()) {
    s_.put_segment(t.id, rowid, merged, identity);
  } else {
    s_.put_record(t.id, identity, RowStatus::shown, merged);
  }
}

void Applier::show(const Target& t, const core::Identity& identity, const BookRow& before,
                   core::Row merged) {
  const auto& ids = t.io->column_ids();
  std::vector<core::Value> values(ids.size());
  std::vector<std::uint32_t> changed;
  bool losers_in_table = false;
  for (const auto& cell : merged.cells) {
    const auto position = t.io->position_of(cell.column);
    if (!position) continue;
    const bool best = core::winner(merged, cell.column, s_.meta_.ranks()) == &cell;
    if (cell.value.type == Type::in_table) {
      losers_in_table |= !best;
    } else if (best) {
      values[*position] = cell.value;
      changed.push_back(*position);
    }
  }
  std::sort(changed.begin(), changed.end());
  if (before.shown()) {
    const RowRef ref{before.rowid, identity};
    if (losers_in_table) {  // the table is about to lose a value that still counts
      const auto now = t.io->read(ref);
      for (auto& cell : merged.cells) {
        const auto position = t.io->position_of(cell.column);
        if (now && position && cell.value.type == Type::in_table &&
            core::winner(merged, cell.column, s_.meta_.ranks()) != &cell) {
          cell.value = keep((*now)[*position]);
        }
      }
      t.io->release();
    }
    update_shown(t, identity, before, merged, values, changed);
    t.io->release();
    return;
  }
  // A hidden or broken row decides anew, together with its rivals.
  if (before.place == BookRow::Place::record && before.status != RowStatus::dead) {
    s_.put_hidden(*t.io, identity, RowStatus::hidden, merged, {});
    return contest(t, {identity});
  }
  std::int64_t rowid = 0;
  const int rc = t.io->insert(changed, values, &rowid);
  if (rc != SQLITE_OK) {
    s_.put_hidden(*t.io, identity, RowStatus::hidden, merged, {});
    return contest(t, {identity});
  }
  if (before.place == BookRow::Place::record && t.io->has_rowid()) s_.erase_record(t.id, identity);
  keep_shown(t, identity, rowid, std::move(merged));
}

void Applier::update_shown(const Target& t, const core::Identity& identity, const BookRow& before,
                           core::Row& merged, std::span<const core::Value> values,
                           const std::vector<std::uint32_t>& changed) {
  const RowRef ref{before.rowid, identity};
  if (changed.empty()) return keep_shown(t, identity, before.rowid, std::move(merged));
  const auto unique = t.io->unique_columns();
  const bool claims = std::any_of(changed.begin(), changed.end(), [&](std::uint32_t p) {
    return std::binary_search(unique.begin(), unique.end(), t.io->column_ids()[p]);
  });
  const bool moves =
      t.io->info().kind == TableKind::integer_key && !is_key_identity(identity) &&
      std::find(changed.begin(), changed.end(), t.io->info().key[0]) != changed.end();
  int rc = SQLITE_CONSTRAINT;
  if (!moves && !(claims && s_.has_hidden(t.id))) {
    rc = t.io->update(ref, changed, values);
    if (rc == SQLITE_OK) return keep_shown(t, identity, before.rowid, std::move(merged));
  }
  // Taken out whole, then everybody concerned is placed by the total order.
  const auto now = t.io->read(ref);
  if (!now) throw StorageError(Errc::internal, "the book lists a row that the table lacks");
  if (s_.has_hidden(t.id)) contest(t, s_.claimants(*t.io, *now));
  for (auto& cell : merged.cells) {
    const auto position = t.io->position_of(cell.column);
    if (position && cell.value.type == Type::in_table) cell.value = (*now)[*position];
  }
  s_.put_hidden(*t.io, identity, RowStatus::hidden, merged, {});
  t.io->release();
  t.io->remove(ref);
  if (t.io->has_rowid()) s_.segments_->erase(t.id, before.rowid);
  contest(t, {identity});
}

/// Lists what somebody wrote and nobody will see, if whoever overruled it had not seen it.
void Applier::list_discarded(const Target& t, const core::Identity& identity, const BookRow& before,
                             const core::Row& merged,
                             const std::vector<core::Discarded>& discarded) {
  for (const auto& d : discarded) {
    const core::Mark dot{d.write.stamp.origin, d.write.stamp.seq};
    if (dot.origin == 0) continue;
    // Carried along by an upsert whose author knew it: known here too, but for what a cut brings.
    const bool carried = d.write.carrier != dot;
    const bool known = held(d.write.carrier) ? author_saw(dot) : carried && held(dot);
    if (known) continue;
    const auto* best = core::winner(merged, d.cell.column, s_.meta_.ranks());
    if (!d.died && best && merged.writes[best->write].stamp == d.write.stamp) continue;
    std::string value = to_literal(d.cell.value), winner, column;
    const std::size_t position = t.io ? t.io->position_of(d.cell.column).value_or(~0u) : ~0u;
    const bool here = t.io && position < t.io->column_ids().size();
    if (here && before.shown()) {
      if (const auto now = t.io->read({before.rowid, identity})) {
        if (d.cell.value.type == Type::in_table) value = to_literal((*now)[position]);
        if (best && best->value.type == Type::in_table) winner = to_literal((*now)[position]);
      }
      t.io->release();
    }
    if (best && best->value.type != Type::in_table) winner = to_literal(best->value);
    if (here) {
      column = t.io->info().columns[position].name;
    } else {
      const auto it = std::find(t.columns.begin(), t.columns.end(), d.cell.column);
      if (it != t.columns.end()) column = t.names[static_cast<std::size_t>(it - t.columns.begin())];
    }
    if (!d.died && winner == value) continue;
    s_.note_conflict(t.id, identity, column, d.died ? "deleted" : "superseded", value,
                     d.died ? "" : winner,
                     d.died ? "a delete kills what it had not seen" : "last writer wins");
  }
}

void StoreImpl::note_conflict(std::uint32_t table, ByteView identity, const std::string& column,
                              const char* kind, const std::string& value, const std::string& winner,
                              const char* rule) {
  Statement& s = db_.cached(
      "INSERT INTO mycelial_conflict(tbl, ident, col, kind, value, winner, rule, at) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  s.bind(1, table).bind_blob(2, identity).bind_text(3, column).bind_text(4, kind);
  s.bind_text(5, value).bind_text(6, winner).bind_text(7, rule).bind(8, now_ms());
  s.run();
  db_.cached(
         "DELETE FROM mycelial_conflict WHERE id <= (SELECT max(id) FROM mycelial_conflict) - "
         "10000")
      .run();
}

const core::Schema* StoreImpl::schema_of(const Hash& hash) {
  const auto known = schemas_.find(hash);
  if (known != schemas_.end()) return &known->second;
  Statement s(db_, "SELECT record FROM mycelial_schema WHERE hash = ?1");
  s.bind_blob(1, hash.view());
  if (!s.step()) return nullptr;
  ByteReader in(s.blob(0));
  core::Schema schema;
  schema.table = in.prefixed();
  schema.columns.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  for (auto& c : schema.columns) c = in.prefixed();
  while (in.ok() && !in.at_end()) schema.key.push_back(static_cast<std::uint32_t>(in.varint()));
  return &(schemas_[hash] = std::move(schema));
}

void StoreImpl::remember_schema(const core::Schema& schema, bool announced) {
  Bytes record;
  put_prefixed(record, schema.table);
  put_varint(record, schema.columns.size());
  for (const auto& c : schema.columns) put_prefixed(record, c);
  for (const auto k : schema.key) put_varint(record, k);
  const Hash hash = schema.hash();
  Statement s(
      db_,
      "INSERT INTO mycelial_schema VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET announced = "
      "max(announced, ?3)");
  s.bind_blob(1, hash.view()).bind_blob(2, record).bind(3, announced ? 1 : 0).run();
}

/// Applicable now? `known`: there is nothing in it that we lack.
bool StoreImpl::ready(const core::Header& h, const Hash& id, bool* known) const {
  (void)id;
  const auto holds = [&](const std::pair<core::Stream, core::Tip>& dep) {
    const auto it = have().find(dep.first);
    return dep.second.seq == 0 || (it != have().end() && it->second.seq >= dep.second.seq);
  };
  if (h.kind == core::UnitKind::cut) {
    *known = std::all_of(h.have.begin(), h.have.end(), holds);
    return std::all_of(h.base.begin(), h.base.end(), holds);
  }
  const auto it = have().find(h.stream);
  const std::uint64_t last = it == have().end() ? 0 : it->second.seq;
  *known = h.last <= last;
  if (h.first != last + 1) return false;
  if (last > 0 && it->second.hash != h.prev) {
    throw StorageError(Errc::corrupt,
                       fmt::format("site {} has two histories: change set {} does not "
                                   "continue what we hold (a copied file?)",
                                   h.stream.site.hex(), h.first));
  }
  return std::all_of(h.deps.begin(), h.deps.end(), holds);
}

void StoreImpl::apply_unit(const codec::UnitView& unit, const core::UnitRef& ref, ByteView bytes) {
  const auto& h = unit.header;
  Applier(*this, h).run(unit.body);
  if (h.kind == core::UnitKind::cut) {
    for (const auto& [stream, tip] : h.have) {
      const auto it = have().find(stream);
      if (it == have().end() || it->second.seq < tip.seq) meta_.advance(stream, tip);
    }
    return;
  }
  const auto origin = meta_.origin_of(h.stream);
  for (const auto& [stream, tip] : h.deps) {
    db_.cached(
           "INSERT INTO mycelial_context VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = "
           "max(seq, ?3)")
        .bind(1, origin)
        .bind(2, meta_.origin_of(stream))
        .bind(3, tip.seq)
        .run();
  }
  (void)ref;
  keep_set(h, unit.id, bytes);
  meta_.advance(h.stream, {h.last, unit.id});
}

Result<core::Depot::Applied> StoreImpl::apply_staged() {
  Applied out;
  std::set<Hash> done, bad;
  bool any = false;
  for (const auto& ref : staging_.whole()) any |= !bad.contains(ref.id);
  if (!any) return out;
  const Status status = write([&] {
    out = {};
    done.clear();
    bad.clear();
    if (auto own = seal_journal()) out.units.push_back(*own);
    for (bool progress = true; progress;) {
      progress = false;
      for (const auto& ref : staging_.whole()) {
        if (done.contains(ref.id) || bad.contains(ref.id)) continue;
        const auto view = staging_.view(ref.id);
        const auto unit = codec::decode_unit(view.bytes);
        bool known = false;
        if (unit.ok() && unit->id != ref.id) {
          bad.insert(ref.id);
          out.rejected.emplace_back(
              ref, Status(Errc::corrupt, "a unit does not have the hash it claims"));
          continue;
        }
        const Status applied = !unit.ok() ? unit.status() : guard([&] {
          const bool can = ready(unit->header, unit->id, &known);
          if (known || !can) return;
          Transaction whole(db_);
          segments_->flush();
          try {
            apply_unit(*unit, ref, view.bytes);
            segments_->flush();
          } catch (...) {
            segments_->discard();
            throw;
          }
          whole.commit();
          known = progress = true;
          auto applied_ref = ref;
          applied_ref.stream = unit->header.stream;
          applied_ref.kind = unit->header.kind;
          applied_ref.first = unit->header.first;
          applied_ref.last = unit->header.last;
          out.units.push_back(applied_ref);
        });
        if (!applied.ok() && (applied.code() == Errc::corrupt || applied.code() == Errc::version)) {
          meta_.reload();
          schemas_.clear();
          bad.insert(ref.id);
          out.rejected.emplace_back(ref, applied);
        } else if (!applied.ok()) {
          throw StorageError(applied.code(), std::string(applied.message()));
        } else if (known) {
          done.insert(ref.id);
        }
      }
    }
    if (!losers_.empty()) {
      if (auto own = seal_journal()) out.units.push_back(*own);
    }
    trim_tail();
  });
  if (!status.ok()) return status;
  for (const auto& id : done) staging_.drop(id);
  for (const auto& id : bad) staging_.drop(id);
  return out;
}

}  // namespace mycelial::storage
