// SPDX-License-Identifier: Apache-2.0
// Applying: units -> rows. Local writes are sealed first, in the same transaction.
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "core/hybrid_clock.hpp"
#include "core/policy/part.hpp"
#include "storage/applier.hpp"

namespace mycelial::storage {

using Type = core::Value::Type;

namespace {

/// In words that stay the same for a while.
std::string roughly(std::uint64_t ms) {
  const std::uint64_t minutes = ms / 60'000;
  if (minutes < 120) return fmt::format("{} minutes", minutes);
  if (minutes < 2 * 24 * 60) return fmt::format("{} hours", minutes / 60);
  return fmt::format("{} days", minutes / (24 * 60));
}

/// That a row found at track is dead, and nothing else.
bool is_bare_death(const core::Row& piece) {
  return piece.births.empty() && piece.killers.empty() && piece.cells.empty() &&
         piece.dead.size() == 1 && piece.dead[0].origin == 0;
}

Hash hash_of(std::uint32_t table, const core::Identity& identity) {
  Bytes number;
  put_varint(number, table);
  return hash_parts({number, identity});
}

}  // namespace

static const core::Header kNoUnit;

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

Applier::Applier(StoreImpl& store) : Applier(store, kNoUnit) {}

bool Applier::author_saw(const core::Mark& dot) const {
  return dot.origin == 0 || (dot.origin < seen_.size() && dot.seq <= seen_[dot.origin]);
}

bool Applier::held(const core::Mark& dot) const {
  const auto covered = s_.meta_.covered();
  return dot.origin < covered.size() && dot.seq <= covered[dot.origin];
}

void Applier::run(ByteView body) {
  keeps_list_ = header_.full && has_rows();
  codec::BodyReader reader(body, [this](const Hash& hash) { return s_.schema_of(hash); });
  for (;;) {
    auto item = reader.next();
    if (!item.ok()) {  // Also a schema that nobody described: its author's fault, for good.
      const bool newer = item.status().code() == Errc::version;
      throw StorageError(newer ? Errc::version : Errc::corrupt,
                         std::string(item.status().message()));
    }
    if (!*item) break;
    if ((*item)->schema) learn(*(*item)->schema);
    if ((*item)->block) apply_block(*(*item)->block);
    if (const auto& listed = (*item)->overruled) {
      s_.note_conflict(table_number(s_.db_, listed->table), *listed);
    }
  }
  if (keeps_list_) drop_unlisted();
  for (const auto& [hash, t] : targets_) {
    if (t.changed) s_.changed_tables_.insert(t.io->info().name);
  }
  for (const auto& [table, rows] : contested_) s_.settle(table, rows);
  core::HybridClock clock(s_.meta_.clock);
  const auto now = s_.now_ms();
  clock.observe(newest_, now);
  s_.meta_.clock = clock.state();
  if (core::hlc_ms(newest_) > now + kClockBoundMs) {
    s_.notes_.insert(
        fmt::format("the clock of a site seen through {} is {} ahead of ours; its changes merge, "
                    "our clock does not follow it",
                    header_.stream.site.hex().substr(0, 8), roughly(core::hlc_ms(newest_) - now)));
  }
}

void Applier::learn(const core::Schema& schema) {
  s_.remember_schema(schema, false);
  learn_policies(schema);
  if (schema.formerly.empty()) return;
  s_.list_changes();
  for (const auto& move : learn_names(s_.db_, schema.table, schema.formerly)) {
    Applier(s_).adopt(move);
    std::erase_if(targets_, [&](const auto& t) { return t.second.id == move.from; });
  }
}

Applier::Target& Applier::target(const Hash& hash) {
  const auto [it, added] = targets_.try_emplace(hash);
  Target& t = it->second;
  if (!added) return t;
  const auto* schema = s_.schema_of(hash);
  if (!schema)
    throw StorageError(Errc::corrupt, "a change set uses a schema that nobody described");
  t.id = table_number(s_.db_, schema->table);
  t.io = s_.table(t.id);
  t.names = schema->columns;
  t.columns = column_numbers(s_.db_, t.id, schema->columns);
  return t;
}

void Applier::apply_block(codec::BlockReader& block) {
  Target& t = target(block.schema());
  std::vector<core::Origin> origins;
  for (const auto& stream : block.origins()) {
    origins.push_back(stream.site.is_baseline() ? 0 : s_.meta_.origin_of(stream));
  }
  batch_.begin();
  while (block.next(batch_.next())) {
    auto& piece = batch_.next();
    translate(piece.row, origins, t);
    if (is_grave_name(piece.identity) || (header_.full && is_bare_death(piece.row))) {
      bury(t, piece);
      continue;
    }
    if (keeps_list_) list(t.id, piece.identity);
    if (joins_batch(t, piece)) {
      batch_.keep();
      if (batch_.is_full()) write_batch(t);
      continue;
    }
    write_batch(t);
    join(t, piece.identity, piece.row);
  }
  write_batch(t);
  if (const auto& bad = block.status(); !bad.ok()) {
    throw StorageError(bad.code(), std::string(bad.message()));
  }
}

/// Wire numbering -> ours.
void Applier::translate(core::Row& row, const std::vector<core::Origin>& origins, const Target& t) {
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
  const auto less = [](const core::Cell& a, const core::Cell& b) { return a.column < b.column; };
  if (!std::ranges::is_sorted(row.cells, less)) std::ranges::stable_sort(row.cells, less);
}

/// A death that is kept for ever; of a row whose identity is long its hash is known. It says
/// nothing else of the row, which may live again: that is listed or not like any other.
void Applier::bury(const Target& t, const core::RowPiece& piece) {
  const auto& id = piece.identity;
  const bool is_named = is_key_identity(id) || hidden_identity(id) || is_grave_name(id);
  if (!is_named || !is_bare_death(piece.row)) {
    throw StorageError(Errc::corrupt, "a row has a malformed identity");
  }
  s_.bury(t.id, id);
}

void Applier::join(Target& t, const core::Identity& identity, core::Row& piece) {
  if (!is_key_identity(identity) && !hidden_identity(identity)) {
    throw StorageError(Errc::corrupt, "a row has a malformed identity");
  }
  kept_.clear();
  if (is_fresh(piece) && insert_fresh(t, identity, piece)) return;
  s_.find_row(t.id, t.io, identity, before_);
  if (overwrite(t, identity, piece)) return;
  s_.unpack(before_, t.io, old_);
  discarded_.clear();
  const auto ours = joins_own_ ? core::Covered() : s_.meta_.covered();
  joiner_.join(old_, piece, ours, theirs_, s_.meta_.ranks(), merged_, &discarded_);
  add_overruled();
  if (!discarded_.empty() && !joins_own_) list_discarded(t, identity, before_, merged_);
  if (merged_ == old_) return;
  ++s_.changes_.rows;
  t.changed |= t.io != nullptr;
  if (!core::is_alive(merged_)) {
    vanish(t, identity, before_, merged_);
  } else if (!t.io) {
    s_.put_record(t.id, identity, RowStatus::parked, merged_);
  } else {
    show(t, identity, before_, merged_);
  }
}

/// Versions written to different births stay side by side, for either may outlive the other; but
/// only one is shown. Adds those that this join put into the shade.
void Applier::add_overruled() {
  const auto& ranks = s_.meta_.ranks();
  for (std::size_t i = 0; i < merged_.cells.size(); ++i) {
    if (core::is_winner(merged_, i, ranks)) continue;
    const auto& cell = merged_.cells[i];
    if (cell.value.type == Type::part) continue;  // others of its column are no rivals
    const auto& write = merged_.writes[cell.write];
    const auto* best = core::winner(merged_, cell.column, ranks);
    if (merged_.writes[best->write].stamp == write.stamp) continue;
    const auto* was = core::winner(old_, cell.column, ranks);
    const bool in_shade = std::any_of(old_.cells.begin(), old_.cells.end(), [&](const auto& c) {
      return c.column == cell.column && old_.writes[c.write].stamp == write.stamp &&
             old_.writes[was->write].stamp != write.stamp;
    });
    if (!in_shade)
      discarded_.push_back({cell.column, cell.value, write.carrier, write.stamp, false});
  }
}

bool Applier::has_rows() {
  s_.segments_->flush();
  return s_.db_.integer(
             "SELECT EXISTS(SELECT 1 FROM mycelial_segment) OR EXISTS(SELECT 1 FROM "
             "mycelial_row)") != 0;
}

void Applier::list(std::uint32_t table, const core::Identity& identity) {
  listed_.push_back(hash_of(table, identity));
}

bool Applier::is_listed(std::uint32_t table, const core::Identity& identity) const {
  return std::ranges::binary_search(listed_, hash_of(table, identity));
}

/// A cut that lists everything says by silence that a row is dead.
void Applier::drop_unlisted() {
  std::ranges::sort(listed_);
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
      if (!name.identity.empty() && !is_listed(id, name.identity)) {
        unlisted.push_back(std::move(name));
      }
      return true;
    });
  }
  Statement records(s_.db_, "SELECT tbl, ident FROM mycelial_row");
  while (records.step()) {
    RowName name{static_cast<std::uint32_t>(records.number(0)), core::Identity(records.blob(1))};
    if (!is_listed(name.table, name.identity)) unlisted.push_back(std::move(name));
  }
  for (const auto& name : unlisted) {
    Target t;
    t.id = name.table;
    t.io = s_.table(name.table);
    core::Row nothing;
    if (s_.has_grave(t.id, name.identity)) nothing.dead = {{0, 1}};
    join(t, name.identity, nothing);
    if (t.changed) s_.changed_tables_.insert(t.io->info().name);
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

/// Others may refer to it: see orphans.hpp.
void Applier::note_vanished(const Target& t, const core::Identity& identity,
                            std::span<const core::Value> values) {
  s_.vanished_.push_back({t.id, identity, {values.begin(), values.end()}, false});
}

void Applier::vanish(const Target& t, const core::Identity& identity, const BookRow& before,
                     const core::Row& merged) {
  if (before.shown() && t.io) {
    const RowRef ref{before.rowid, identity};
    const bool has_rivals = s_.has_hidden(t.id), is_parent = !s_.references_to(t.id).empty();
    if (has_rivals || is_parent) {
      const auto values = t.io->read(ref);
      if (values && has_rivals) contest(t, s_.claimants(*t.io, *values));
      if (values && is_parent) note_vanished(t, identity, *values);
      t.io->release();
    }
    t.io->remove(ref);
    if (t.io->has_rowid()) s_.segments_->erase(t.id, before.rowid);
  } else if (before.place == BookRow::Place::record && before.status == RowStatus::hidden) {
    s_.drop_claims(t.id, identity);
    if (t.io && !s_.references_to(t.id).empty()) {
      std::deque<Bytes> bytes;
      note_vanished(t, identity, s_.values_of(*t.io, old_, bytes));
    }
  }
  s_.put_record(t.id, identity, RowStatus::dead, merged);
}

void Applier::keep_shown(const Target& t, const core::Identity& identity, std::int64_t rowid,
                         core::Row& merged) {
  const auto& ranks = s_.meta_.ranks();
  for (std::size_t i = 0; i < merged.cells.size(); ++i) {
    if (t.io->holds(merged, i, ranks)) merged.cells[i].value = core::Value::in_table();
  }
  s_.put_shown(*t.io, rowid, identity, merged);
}

/// What the table is to show and does not yet: values_ and changed_. True if it shows a value now
/// that a higher one overrules but that still counts.
bool Applier::gather_values(const Target& t, const core::Row& merged) {
  values_.resize(t.io->column_ids().size());
  changed_.clear();
  bool losers_in_table = false;
  const bool merges = t.io->has_policies() || core::has_parts(merged);
  const auto& ranks = s_.meta_.ranks();
  for (std::size_t i = 0; i < merged.cells.size(); ++i) {
    const auto& cell = merged.cells[i];
    const auto position = t.io->position_of(cell.column);
    if (!position || (merges && t.io->merges_by_policy(merged, *position))) continue;
    const bool best = core::is_winner(merged, i, ranks);
    if (cell.value.type == Type::in_table) {
      losers_in_table |= !best;
    } else if (best) {
      values_[*position] = cell.value;
      changed_.push_back(*position);
    }
  }
  std::sort(changed_.begin(), changed_.end());
  return losers_in_table;
}

/// The same for columns whose policy makes one value of several.
void Applier::gather_by_policy(const Target& t, const core::Identity& identity,
                               const BookRow& before, const core::Row& merged) {
  if (!t.io->has_policies() && !core::has_parts(merged)) return;
  std::optional<std::span<const core::Value>> now;
  for (std::uint32_t i = 0; i < values_.size(); ++i) {
    if (!t.io->merges_by_policy(merged, i)) continue;
    const auto shown =
        core::shown_value(t.io->policy_of(i), merged, t.io->column_ids()[i], s_.meta_.ranks());
    if (!shown) continue;
    if (before.shown() && !now) now = t.io->read({before.rowid, identity});
    if (now && (*now)[i] == shown->view()) continue;
    values_[i] = keep(shown->view());
    changed_.push_back(i);
  }
  if (now) t.io->release();
  std::ranges::sort(changed_);
}

void Applier::show(const Target& t, const core::Identity& identity, const BookRow& before,
                   core::Row& merged) {
  const bool losers_in_table = gather_values(t, merged);
  gather_by_policy(t, identity, before, merged);
  if (before.shown()) {
    const RowRef ref{before.rowid, identity};
    if (losers_in_table) {  // the table is about to lose a value that still counts
      const auto now = t.io->read(ref);
      for (std::size_t i = 0; now && i < merged.cells.size(); ++i) {
        auto& cell = merged.cells[i];
        const auto position = t.io->position_of(cell.column);
        if (position && cell.value.type == Type::in_table &&
            !core::is_winner(merged, i, s_.meta_.ranks())) {
          cell.value = keep((*now)[*position]);
        }
      }
      t.io->release();
    }
    update_shown(t, identity, before, merged);
    t.io->release();
    return;
  }
  // A hidden or broken row decides anew, together with its rivals.
  if (before.place == BookRow::Place::record && before.status != RowStatus::dead) {
    s_.put_hidden(*t.io, identity, RowStatus::hidden, merged, {});
    return contest(t, {identity});
  }
  std::int64_t rowid = 0;
  if (!t.io->fits(identity, values_) || t.io->insert(changed_, values_, &rowid) != SQLITE_OK) {
    s_.put_hidden(*t.io, identity, RowStatus::hidden, merged, {});
    return contest(t, {identity});
  }
  if (before.place == BookRow::Place::record && t.io->has_rowid()) s_.erase_record(t.id, identity);
  keep_shown(t, identity, rowid, merged);
}

/// Whether the row still is what its identity says when the changed values are written.
bool Applier::keeps_key(const Target& t, const core::Identity& identity, const RowRef& ref) {
  const auto& key = t.io->info().key;
  const bool touched = is_key_identity(identity) && std::ranges::any_of(key, [&](auto k) {
                         return std::ranges::find(changed_, k) != changed_.end();
                       });
  if (!touched) return true;
  const auto now = t.io->read(ref);
  if (!now) return true;
  std::vector<core::Value> after(now->begin(), now->end());
  for (const auto position : changed_) after[position] = values_[position];
  const bool keeps = t.io->fits(identity, after);
  t.io->release();
  return keeps;
}

void Applier::update_shown(const Target& t, const core::Identity& identity, const BookRow& before,
                           core::Row& merged) {
  const RowRef ref{before.rowid, identity};
  if (loses_column(t, merged)) return take_out(t, identity, before, merged);
  if (changed_.empty()) return keep_shown(t, identity, before.rowid, merged);
  const auto& unique = t.io->unique_columns();
  const bool claims = std::any_of(changed_.begin(), changed_.end(), [&](std::uint32_t p) {
    return std::binary_search(unique.begin(), unique.end(), t.io->column_ids()[p]);
  });
  const bool moves =
      t.io->info().kind == TableKind::integer_key && !is_key_identity(identity) &&
      std::find(changed_.begin(), changed_.end(), t.io->info().key[0]) != changed_.end();
  if (!moves && !(claims && s_.has_hidden(t.id)) && keeps_key(t, identity, ref) &&
      t.io->update(ref, changed_, values_) == SQLITE_OK) {
    return keep_shown(t, identity, before.rowid, merged);
  }
  take_out(t, identity, before, merged);
}

/// Nobody's write to some column is left: it goes back to its default. So it is when a row begins a
/// new life on a site that lacks the column.
bool Applier::loses_column(const Target& t, const core::Row& merged) const {
  if (merged.dead == old_.dead) return false;
  return std::any_of(old_.cells.begin(), old_.cells.end(), [&](const core::Cell& c) {
    return t.io->position_of(c.column) && !core::winner(merged, c.column, s_.meta_.ranks());
  });
}

/// Takes the row out of its table, whole; then everybody concerned is placed by the total order.
void Applier::take_out(const Target& t, const core::Identity& identity, const BookRow& before,
                       core::Row& merged) {
  const RowRef ref{before.rowid, identity};
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
                             const core::Row& merged) {
  std::optional<std::span<const core::Value>> now;  // as soon as it is needed
  bool is_read = false;
  for (const auto& d : discarded_) {
    const core::Mark dot{d.stamp.origin, d.stamp.seq};
    if (dot.origin == 0) continue;
    const auto part =
        d.value.type == Type::part ? core::get_part(d.value.bytes) : std::optional<core::Part>();
    if (!d.died && part && part->kind != core::Part::Kind::member) {
      continue;  // what a site has contributed, replaced by the site
    }
    // Carried along by an upsert whose author knew it: known here too, but for what a cut brings.
    const bool carried = d.carrier != dot;
    const bool known = held(d.carrier) ? author_saw(dot) : carried && held(dot);
    if (known) continue;
    const auto* best = core::winner(merged, d.column, s_.meta_.ranks());
    if (!d.died && best && merged.writes[best->write].stamp == d.stamp) continue;
    std::string value = to_literal(d.value), winner, column;
    const std::size_t position = t.io ? t.io->position_of(d.column).value_or(~0u) : ~0u;
    const bool here = t.io && position < t.io->column_ids().size();
    if (here && before.shown()) {
      if (!std::exchange(is_read, true)) now = t.io->read({before.rowid, identity});
      if (now) {
        if (d.value.type == Type::in_table) value = to_literal((*now)[position]);
        if (best && best->value.type == Type::in_table) winner = to_literal((*now)[position]);
      }
    }
    if (best && best->value.type != Type::in_table) winner = to_literal(best->value);
    if (here) {
      column = t.io->info().columns[position].name;
    } else {
      const auto it = std::find(t.columns.begin(), t.columns.end(), d.column);
      if (it != t.columns.end()) column = t.names[static_cast<std::size_t>(it - t.columns.begin())];
    }
    if (!d.died && winner == value) continue;
    s_.note_conflict(t.id,
                     {.identity = identity,
                      .column = column,
                      .kind = d.died ? "deleted" : "superseded",
                      .value = value,
                      .winner = d.died ? "" : winner,
                      .rule = d.died ? "a delete kills what it had not seen" : "last writer wins",
                      .at_ms = core::hlc_ms(d.stamp.time)});
  }
  if (is_read) t.io->release();
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
  while (in.ok() && !in.at_end()) {
    const auto column = static_cast<std::uint32_t>(in.varint());
    if (column == schema.columns.size()) break;  // policies follow
    schema.key.push_back(column);
  }
  while (in.ok() && !in.at_end()) {
    auto& policy = schema.policies.emplace_back();
    policy.column = static_cast<std::uint32_t>(in.varint());
    policy.at_ms = in.varint();
    policy.seen_ms = in.varint();
    policy.name = in.prefixed();
  }
  return &(schemas_[hash] = std::move(schema));
}

void StoreImpl::remember_schema(const core::Schema& schema, bool announced) {
  Bytes record;
  put_prefixed(record, schema.table);
  put_varint(record, schema.columns.size());
  for (const auto& c : schema.columns) put_prefixed(record, c);
  for (const auto k : schema.key) put_varint(record, k);
  if (!schema.policies.empty()) put_varint(record, schema.columns.size());
  for (const auto& policy : schema.policies) {
    put_varint(record, policy.column);
    put_varint(record, policy.at_ms);
    put_varint(record, policy.seen_ms);
    put_prefixed(record, policy.name);
  }
  const Hash hash = schema.hash();
  Statement s(
      db_,
      "INSERT INTO mycelial_schema VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET announced = "
      "max(announced, ?3)");
  s.bind_blob(1, hash.view()).bind_blob(2, record).bind(3, announced ? 1 : 0).run();
}

}  // namespace mycelial::storage
