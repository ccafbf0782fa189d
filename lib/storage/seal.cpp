// SPDX-License-Identifier: Apache-2.0
// Sealing: the whole journal, as of one snapshot, becomes one immutable change set with values.
#include <algorithm>

#include "core/hybrid_clock.hpp"
#include "storage/touched.hpp"

namespace mycelial::storage {

namespace {

/// The value of an SQL expression.
core::OwnedValue value_of(Connection& db, std::string_view expression) {
  Statement s(db, "SELECT " + std::string(expression));
  return s.step() ? core::OwnedValue(s.value(0)) : core::OwnedValue();
}

}  // namespace

Sealer::Sealer(StoreImpl& store) : s_(store), clock_(store.meta_.clock), now_(store.now_ms()) {}
Sealer::~Sealer() = default;

/// What happened to the row, in local_.
void Sealer::describe(const Gathered& g, std::span<const core::Value> values, bool alive_before) {
  auto& w = local_;
  w.dot = dot_;
  w.shown = !values.empty();
  w.fresh = g.what->fresh || !alive_before;
  w.upsert = g.what->upsert;
  w.time = g.what->last ? g.what->last : clock_.state();
  w.written.clear();
  if (!w.shown) return;
  const auto& ids = g.io->column_ids();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto it = std::find_if(g.what->columns.begin(), g.what->columns.end(),
                                 [&](const auto& c) { return c.first == ids[i]; });
    const bool unwatched = is_unwatched(*g.io, ids[i]);
    const bool changed = it != g.what->columns.end() &&
                         !(unwatched && is_default(*g.io, i, values[i])) &&
                         (it->second != kByNobody || !core::winner(old_, ids[i], s_.meta_.ranks()));
    if (!changed && !w.fresh && (!w.upsert || unwatched)) continue;
    const core::Hlc time = changed ? it->second : w.fresh ? w.time : 0;
    w.written.push_back({ids[i], time, values[i]});
  }
  if (g.io->policies().atomic) write_whole_row(*g.io, values, w);
  if (g.io->has_policies()) write_by_policies(*g.io, g.what->identity, old_, values, w);
}

/// A row that is written is written whole.
void Sealer::write_whole_row(const TableIo& io, std::span<const core::Value> values,
                             core::LocalWrite& w) {
  core::Hlc last = 0;
  for (const auto& written : w.written) last = std::max(last, written.time);
  if (last == 0) return;
  w.written.clear();
  for (std::size_t i = 0; i < values.size(); ++i) {
    w.written.push_back({io.column_ids()[i], last, values[i]});
  }
}

/// A copied file has what its original had not sealed yet. Both would count it: this one lists it
/// instead.
void Sealer::park_count(const TableIo& io, const core::Identity& identity, const core::Row& before,
                        const core::LocalWrite::Written& written) {
  const auto position = *io.position_of(written.column);
  const auto now =
      core::shown_value(io.policy_of(position), before, written.column, s_.meta_.ranks());
  s_.note_conflict(io.info().id,
                   {.identity = identity,
                    .column = io.info().columns[position].name,
                    .kind = "parked",
                    .value = to_literal(written.value),
                    .winner = now ? to_literal(now->view()) : "NULL",
                    .rule = "counted before the file was copied: its original counts it",
                    .at_ms = core::hlc_ms(written.time)});
}

/// Turns what was written to columns with policies into versions of their registers.
void Sealer::write_by_policies(const TableIo& io, const core::Identity& identity,
                               const core::Row& before, std::span<const core::Value> values,
                               core::LocalWrite& w) {
  const core::Row none;
  std::vector<core::LocalWrite::Written> plain;
  plain.swap(w.written);
  parts_.clear();
  for (const auto& written : plain) {
    const auto position = *io.position_of(written.column);
    const auto& policy = io.policy_of(position);
    if (policy.kind == core::Policy::Kind::lww) {
      w.written.push_back(written);
      continue;
    }
    bool changed = written.time != 0;
    if (s_.inherited_ && changed && policy.kind == core::Policy::Kind::counter) {
      park_count(io, identity, before, written);
      changed = false;
    }
    core::write_column(
        {policy, w.fresh ? none : before, written.column, dot_.origin, written.time, changed,
         w.upsert && !w.fresh, values[position], default_of(io, position).view()},
        s_.meta_.ranks(), parts_, w.written);
  }
}

/// The table shows what the policies make of what was written to it.
void Sealer::show_by_policies(const Gathered& g, const core::Row& row,
                              std::span<const core::Value> now) {
  auto& io = *g.io;
  const RowRef ref{io.has_rowid() ? *g.what->slot : 0, g.what->identity};
  std::vector<std::uint32_t> changed;
  std::vector<core::Value> values(now.size());
  std::deque<Bytes> bytes;
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    if (!io.merges_by_policy(row, i)) continue;
    const auto merged =
        core::shown_value(io.policy_of(i), row, io.column_ids()[i], s_.meta_.ranks());
    const auto& shown = merged ? *merged : default_of(io, i);  // nobody's write counts
    if (shown.view() == now[i]) continue;
    values[i] = shown.view();
    values[i].bytes = bytes.emplace_back(values[i].bytes);
    changed.push_back(i);
  }
  io.release();
  if (changed.empty() || io.update(ref, changed, values) == SQLITE_OK) return;
  s_.demote(io, g.what->identity);
  contested_[io.info().id].insert(g.what->identity);
}

/// True while capture cannot tell who wrote the column: it came since the triggers were made.
bool Sealer::is_unwatched(const TableIo& io, std::uint32_t column) const {
  const auto it = s_.unwatched_.find(io.info().id);
  return it != s_.unwatched_.end() && it->second.test(column);
}

/// True for a value that a column shows by itself: nobody wrote it.
bool Sealer::is_default(const TableIo& io, std::size_t position, const core::Value& value) {
  return to_literal(value) == to_literal(default_of(io, position).view());
}

const core::OwnedValue& Sealer::default_of(const TableIo& io, std::size_t position) {
  auto& known = defaults_[{io.info().id, position}];
  if (!known) {
    Statement text(s_.db_, "SELECT dflt_value FROM pragma_table_xinfo(?1) WHERE name = ?2");
    text.bind_text(1, io.info().name).bind_text(2, io.info().columns[position].name);
    known = text.step() && !text.is_null(0) ? value_of(s_.db_, text.text(0)) : core::OwnedValue();
  }
  return *known;
}

void Sealer::find_before(const Gathered& g) {
  const auto table = g.io->info().id;
  before_.place = BookRow::Place::none;
  if (g.what->old_rowid && g.io->has_rowid()) {
    before_.place = BookRow::Place::segment;
    before_.rowid = *g.what->old_rowid;
    before_.state = g.what->old_state;
  } else if (!(g.what->hidden && g.what->is_new)) {
    s_.find_record(table, g.what->identity, before_);
  }
}

/// What peers said of a column before it came is found under its new number.
void Sealer::unpack_before(const Gathered& g) {
  s_.unpack(before_, g.io, old_);
  const auto moved = s_.rearmed_.find(g.io->info().id);
  if (moved == s_.rearmed_.end() || !s_.move_cells(old_, moved->second)) return;
  joiner_.join(old_, {}, {}, {}, s_.meta_.ranks(), merged_);  // one column may have been two
  std::swap(old_, merged_);
}

void Sealer::seal_row(const Gathered& g) {
  const auto table = g.io->info().id;
  find_before(g);
  unpack_before(g);
  std::span<const core::Value> values;
  if (g.what->slot) {
    const auto ref = g.io->has_rowid() ? RowRef{*g.what->slot, {}} : RowRef{0, g.what->identity};
    if (const auto found = g.io->read(ref)) values = *found;
  }
  const bool was_alive = core::is_alive(old_);
  const bool shown = !values.empty();
  if (!was_alive && values.empty() && before_.place == BookRow::Place::none) return;
  describe(g, values, was_alive);
  core::local_piece(old_, local_, s_.meta_.ranks(), piece_.row);
  if (!(piece_.row == core::Row{})) {
    const bool blindly = was_alive && (!before_.shown() || s_.unwatched_.contains(table) ||
                                       (local_.fresh && has_waiting(*g.io, old_)));
    discarded_.clear();
    joiner_.join(old_, piece_.row, s_.meta_.covered(), {}, s_.meta_.ranks(), merged_,
                 blindly ? &discarded_ : nullptr);
    if (blindly) list_unseen(g, values);
    list_overshadowed(g);
    keep(g, before_, merged_, !values.empty());
    emit(*g.io, g.what->identity, piece_.row);
    if (values.empty() && g.what->removed) kill_losers_of(*g.io, g.what->identity);
    if (!values.empty() || was_alive) touched_tables_.insert(table);
  } else if (before_.place == BookRow::Place::segment && g.what->slot && tables_[table].rebuilt) {
    s_.put_shown(*g.io, *g.what->slot, g.what->identity, old_);  // only its place is new
  }
  if (g.io->has_policies() && shown) {
    show_by_policies(g, piece_.row == core::Row{} ? old_ : merged_, values);
  }
}

/// True for a row with values whose columns this table lacks: who replaces it cannot see them.
bool Sealer::has_waiting(const TableIo& io, const core::Row& row) {
  return std::ranges::any_of(row.cells,
                             [&](const core::Cell& c) { return !io.position_of(c.column); });
}

/// Lists what the writer could not see: the key was free to it, for the row that had it was not
/// shown; or the table lacks the column, or got it so late that nobody has filled in what was kept
/// for it. Who deletes a row that is shown means all of it.
void Sealer::list_unseen(const Gathered& g, std::span<const core::Value> values) {
  const bool shown = before_.shown();
  for (const auto& d : discarded_) {
    const auto position = g.io->position_of(d.column);
    const bool waits = position ? is_unwatched(*g.io, d.column) : !values.empty();
    if (shown && (!waits || d.value.type == core::Value::Type::in_table)) continue;
    const auto& best = old_.writes[core::winner(old_, d.column, s_.meta_.ranks())->write];
    // What lost to another version before has been listed then.
    if (best.stamp != d.stamp || best.carrier != d.carrier) continue;
    const auto lost = to_literal(d.value);
    const auto now = position && !values.empty() ? to_literal(values[*position]) : std::string();
    if (lost == now) continue;
    list(*g.io, {.identity = g.what->identity,
                 .column = column_name(s_.db_, g.io->info().id, d.column),
                 .kind = "superseded",
                 .value = lost,
                 .winner = now,
                 .rule = !shown     ? "an insert of its key, while it was not shown"
                         : position ? "a write to the column, before it showed this"
                                    : "an insert of its key, before its column was here",
                 .at_ms = core::hlc_ms(d.stamp.time)});
  }
}

/// A write ends versions that another one overshadowed here, and that are listed here for that. Who
/// never saw the two meet would not list them: their author knew them.
void Sealer::list_overshadowed(const Gathered& g) {
  const bool one_each =
      std::ranges::adjacent_find(old_.cells, {}, &core::Cell::column) == old_.cells.end();
  if (one_each) return;
  for (std::size_t i = 0; i < old_.cells.size(); ++i) {
    const auto& cell = old_.cells[i];
    const auto position = g.io->position_of(cell.column);
    if (cell.value.type == core::Value::Type::part || !position) continue;
    if (core::is_winner(old_, i, s_.meta_.ranks())) continue;
    const auto& stamp = old_.writes[cell.write].stamp;
    const bool stays = std::ranges::any_of(merged_.cells, [&](const core::Cell& c) {
      return c.column == cell.column && merged_.writes[c.write].stamp == stamp;
    });
    if (stays) continue;
    const auto listed = s_.listed(g.io->info().id, g.what->identity,
                                  g.io->info().columns[*position].name, to_literal(cell.value));
    if (listed) list(*g.io, *listed);
  }
}

/// What the author of a set overruled knowingly is listed by it, for all who get the set.
void Sealer::list(const TableIo& io, core::Overruled what) {
  if (dot_.seq == 0) begin();
  s_.note_conflict(io.info().id, what);
  what.table = wire_name(s_.db_, io.info().id);
  listed_.push_back(std::move(what));
}

/// Closes the set.
std::optional<core::UnitRef> Sealer::publish() {
  if (count_ == 0 && listed_.empty()) return {};
  for (const auto& what : listed_) writer_.add_overruled(what);
  return s_.publish(writer_);
}

/// The row's bookkeeping goes where the row went. What the table shows needs no copy here.
void Sealer::keep(const Gathered& g, const BookRow& before, core::Row& merged, bool shown) {
  const auto table = g.io->info().id;
  for (std::size_t i = 0; shown && i < merged.cells.size(); ++i) {
    // A column that is new here may have a value that the table does not show yet: it stays.
    auto& cell = merged.cells[i];
    if (merged.writes[cell.write].carrier == dot_ && g.io->holds(merged, i, s_.meta_.ranks())) {
      cell.value = core::Value::in_table();
    }
  }
  if (before.place == BookRow::Place::record && shown && g.io->has_rowid()) {
    s_.erase_record(table, g.what->identity);
    s_.drop_claims(table, g.what->identity);
  }
  if (shown) {
    s_.put_shown(*g.io, *g.what->slot, g.what->identity, merged);
  } else {
    s_.put_record(table, g.what->identity, RowStatus::dead, merged);
    s_.drop_claims(table, g.what->identity);
  }
}

/// Adds the piece to the set; its columns are renumbered as the schema record has them.
void Sealer::emit(TableIo& io, const core::Identity& identity, core::Row& piece) {
  for (auto& cell : piece.cells) cell.column = *io.position_of(cell.column);
  if (!std::ranges::is_sorted(piece.cells, {}, &core::Cell::column)) {  // columns in another order
    std::ranges::stable_sort(piece.cells, {}, &core::Cell::column);
  }
  if (last_emitted_ != &io && schemas_.insert(io.schema_hash()).second) {
    Statement announced(s_.db_, "SELECT announced FROM mycelial_schema WHERE hash = ?1");
    announced.bind_blob(1, io.schema_hash().view());
    if (!announced.step() || announced.integer(0) == 0) writer_.add_schema(io.schema());
    s_.remember_schema(io.schema(), true);
  }
  last_emitted_ = &io;
  if (&piece != &piece_.row) piece_.row = piece;
  piece_.identity = identity;
  writer_.add_row(io.schema(), io.schema_hash(), piece_,
                  [this](core::Origin o) -> const core::Stream& { return s_.meta_.stream_of(o); });
  ++count_;
}

/// A delete of the row that is shown kills the rows that were listed as losing to it: its author
/// saw them listed. Rows that lost an automatic key are somebody's own and stay.
void Sealer::kill_losers_of(TableIo& io, const core::Identity& winner) {
  const auto table = io.info().id;
  if (!s_.has_hidden(table)) return;
  std::vector<core::Identity> losers;
  Statement list(s_.db_,
                 "SELECT ident FROM mycelial_row WHERE tbl = ?1 AND status = 2 AND blocker = ?2");
  list.bind(1, table).bind_blob(2, winner);
  while (list.step()) losers.emplace_back(list.blob(0));
  for (const auto& id : losers) {
    if (io.info().kind == TableKind::integer_key && !is_key_identity(id)) continue;
    const auto before = s_.find_row(table, nullptr, id);
    kill(io, id, s_.unpack(before, nullptr));
    s_.drop_claims(table, id);
  }
}

Sealer::Written Sealer::write(const core::Row& old, const core::LocalWrite& w) const {
  Written out;
  out.piece = core::local_piece(old, w, s_.meta_.ranks());
  out.row = core::merge_rows(old, out.piece, s_.meta_.covered(), {}, s_.meta_.ranks());
  return out;
}

/// The row is dead from now on, as far as the book is concerned.
void Sealer::kill(TableIo& io, const core::Identity& identity, const core::Row& old) {
  core::LocalWrite w;
  w.dot = dot_;
  w.fresh = true;
  w.time = clock_.state();
  auto [piece, merged] = write(old, w);
  s_.put_record(io.info().id, identity, RowStatus::dead, merged);
  emit(io, identity, piece);
}

void Sealer::remove_row(TableIo& io, const core::Identity& identity) {
  if (dot_.seq == 0) begin();
  const auto at = s_.find_row(io.info().id, &io, identity);
  if (!at.shown()) return;
  const auto old = s_.unpack(at, nullptr);
  io.remove({at.rowid, identity});
  if (io.has_rowid()) s_.segments_->erase(io.info().id, at.rowid);
  clock_.stamp_write(now_, now_);
  kill(io, identity, old);
}

void Sealer::revive_row(TableIo& io, const core::Identity& identity,
                        std::span<const core::Value> values) {
  if (dot_.seq == 0) begin();
  const auto old = s_.unpack(s_.find_row(io.info().id, &io, identity), nullptr);
  core::LocalWrite w;
  w.dot = dot_;
  w.shown = w.fresh = true;
  w.time = clock_.stamp_write(now_, now_);
  for (std::size_t i = 0; i < values.size(); ++i) {
    w.written.push_back({io.column_ids()[i], w.time, values[i]});
  }
  auto [piece, merged] = write(old, w);
  s_.put_hidden(io, identity, RowStatus::hidden, merged, {});
  emit(io, identity, piece);
}

void Sealer::rewrite_row(TableIo& io, const core::Identity& identity,
                         const StoreImpl::NewValues& values) {
  if (dot_.seq == 0) begin();
  const auto before = s_.find_row(io.info().id, nullptr, identity);
  const auto old = s_.unpack(before, nullptr);
  core::LocalWrite w;
  w.dot = dot_;
  w.shown = true;
  w.time = clock_.stamp_write(now_, now_);
  for (const auto& [column, value] : values) w.written.push_back({column, w.time, value.view()});
  if (io.policies().atomic) {  // such a row is written whole
    for (const auto column : io.column_ids()) {
      const auto* cell = core::winner(old, column, s_.meta_.ranks());
      const bool stays = std::ranges::none_of(values, [&](auto& v) { return v.first == column; });
      if (cell && stays) w.written.push_back({column, w.time, cell->value});
    }
  }
  auto [piece, merged] = write(old, w);
  s_.put_hidden(io, identity, RowStatus::hidden, merged, {});
  emit(io, identity, piece);
}

void Sealer::give_up_row(TableIo& io, const core::Identity& identity) {
  if (dot_.seq == 0) begin();
  const auto before = s_.find_row(io.info().id, nullptr, identity);
  clock_.stamp_write(now_, now_);
  kill(io, identity, s_.unpack(before, nullptr));
  s_.drop_claims(io.info().id, identity);
}

void Sealer::finish_rows() {
  s_.meta_.clock = clock_.state();
  publish();
}

void Sealer::begin() {
  const auto origin = s_.meta_.origin_of(s_.meta_.own_stream());
  label_ = s_.meta_.origin_of({s_.meta_.label(), 0, 0});
  dot_ = {origin, s_.meta_.covered()[origin] + 1};
}

/// The table holds what wins; other values stay with the row.
void Sealer::show_cells(const TableIo& io, core::Row& row) {
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    if (io.holds(row, i, s_.meta_.ranks())) row.cells[i].value = core::Value::in_table();
  }
}

void Sealer::baseline_row(TableIo& io, std::int64_t rowid, const core::Identity& identity,
                          std::span<const core::Value> values) {
  if (dot_.seq == 0) begin();
  const auto table = io.info().id;
  const auto before = s_.find_row(table, nullptr, identity);
  const auto old = s_.unpack(before, nullptr);
  core::LocalWrite w;
  w.dot = dot_;
  w.shown = w.fresh = w.baseline = true;
  for (std::size_t i = 0; i < values.size(); ++i)
    w.written.push_back({io.column_ids()[i], 0, values[i]});
  auto piece = core::local_piece({}, w, s_.meta_.ranks());
  auto merged = core::merge_rows(old, piece, s_.meta_.covered(), {}, s_.meta_.ranks());
  emit(io, identity, piece);
  if (core::is_alive(old) || !core::is_alive(merged)) {
    // Peers know more of this row: theirs and ours decide together, outside the table.
    io.remove({rowid, identity});
    if (core::is_alive(merged)) {
      s_.put_hidden(io, identity, RowStatus::parked, merged, {});
    } else {
      s_.put_record(table, identity, RowStatus::dead, merged);
    }
    return;
  }
  if (before.place == BookRow::Place::record) s_.erase_record(table, identity);
  show_cells(io, merged);
  s_.put_shown(io, rowid, identity, merged);
}

void Sealer::returning_row(TableIo& io, std::int64_t rowid, const core::Identity& identity,
                           std::span<const core::Value> values, const Likeness& was) {
  if (dot_.seq == 0) begin();
  const auto table = io.info().id;
  const auto before = s_.find_row(table, nullptr, identity);
  const auto old = s_.unpack(before, nullptr);
  if (!core::is_alive(old)) return io.remove({rowid, identity});  // peers have deleted it meanwhile
  core::LocalWrite w;
  w.dot = dot_;
  w.shown = true;
  w.time = clock_.stamp_write(now_, now_);
  const auto& ids = io.column_ids();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto same = was.is_same(ids[i], values[i]);
    const bool known = core::winner(old, ids[i], s_.meta_.ranks()) != nullptr;
    const bool written = same ? !*same : !known && !is_default(io, i, values[i]);
    if (written) w.written.push_back({ids[i], w.time, values[i]});
  }
  if (io.has_policies()) write_by_policies(io, identity, old, values, w);
  core::Row piece;
  if (!w.written.empty()) piece = core::local_piece(old, w, s_.meta_.ranks());
  auto merged = core::merge_rows(old, piece, s_.meta_.covered(), {}, s_.meta_.ranks());
  bool as_shown = true;
  for (std::uint32_t i = 0; i < values.size() && as_shown; ++i) {
    const auto best = core::shown_value(io.policy_of(i), merged, ids[i], s_.meta_.ranks());
    as_shown = best ? best->view() == values[i] : is_default(io, i, values[i]);
  }
  if (as_shown) {
    show_cells(io, merged);
    s_.erase_record(table, identity);
    s_.put_shown(io, rowid, identity, merged);
  } else {  // peers have written to it meanwhile: it is placed anew
    io.remove({rowid, identity});
    s_.put_hidden(io, identity, RowStatus::parked, merged, {});
  }
  if (!w.written.empty()) emit(io, identity, piece);
}

void Sealer::finish_baseline() {
  publish();
}

std::optional<core::UnitRef> Sealer::run() {
  begin();
  read_journal(s_.db_, 0, [this](const JournalEntry& e) { replay(e); });
  if (last_number_ == 0 && s_.losers_.empty() && s_.rebuilt_.empty()) return std::nullopt;
  match_rebuilt();
  for (auto& [id, t] : tables_) {
    if (!t.rebuilt) decide_evictions(t);
    gather(t);
  }
  for (const auto& g : rows_) {  // slots are left before others move in
    if (g.io->has_rowid() && g.what->old_rowid && g.what->slot != g.what->old_rowid) {
      s_.segments_->erase(g.io->info().id, *g.what->old_rowid);
    }
  }
  for (const auto& g : rows_) seal_row(g);
  for (auto& [id, t] : tables_) t.io->release();
  for (const auto& name : s_.losers_) rekey(name);
  if (last_number_ > 0) clear_journal(s_.db_, last_number_);
  s_.meta_.clock = clock_.state();
  const auto rekeyed = std::exchange(s_.losers_, {});
  const auto unit = publish();
  for (const auto table : touched_tables_) {
    if (s_.has_hidden(table)) contested_[table].merge(freed(table, rekeyed));
  }
  for (auto& [table, rows] : contested_) s_.settle(table, std::move(rows));
  return unit;
}

/// A row of ours lost its automatic key to another site's: it takes a free one, as a plain update
/// of that column. Only the site that wrote it does so, or there would be two copies.
void Sealer::rekey(const RowName& name) {
  TableIo* io = s_.table(name.table);
  const auto before = s_.find_row(name.table, nullptr, name.identity);
  if (!io || before.place != BookRow::Place::record || before.status != RowStatus::hidden) return;
  const auto column = io->column_ids()[io->info().key.front()];
  std::int64_t free = s_.db_.integer("SELECT value FROM mycelial_meta WHERE key = 'rekey'");
  // Other sites re-key at the same time and count from the same number: steps at random keep them
  // from taking each other's, round after round.
  std::uint8_t step = 0;
  s_.options_.entropy->fill(&step, sizeof step);
  free = std::max(free, io->max_rowid()) + 1 + step % 32;
  s_.meta_.set("rekey", core::Value::of(free));
  rewrite_row(*io, name.identity, {{column, core::OwnedValue(core::Value::of(free))}});
  touched_tables_.insert(name.table);
}

/// Hidden rows that may be shown now: what hid them was written, or they have been re-keyed. Nobody
/// writes a hidden row locally, and a claim of a shown one only rises, so the others stay.
std::set<core::Identity> Sealer::freed(std::uint32_t table, const std::set<RowName>& rekeyed) {
  std::set<core::Identity> out;
  for (const auto& name : rekeyed) {
    if (name.table == table) out.insert(name.identity);
  }
  Statement list(s_.db_,
                 "SELECT ident FROM mycelial_row WHERE tbl = ?1 AND status = 2 AND blocker IS ?2");
  const auto add = [&] {
    while (list.step()) out.emplace(list.blob(0));
    list.reset();
  };
  list.bind(1, table).bind_null(2);
  add();
  for (const auto& g : rows_) {
    if (g.io->info().id != table) continue;
    list.bind_blob(2, g.what->identity);
    add();
  }
  return out;
}

std::optional<core::UnitRef> StoreImpl::seal_journal() {
  const bool captured = count_journal(db_, 1) != 0;
  if (!captured && losers_.empty() && rebuilt_.empty()) return std::nullopt;
  return Sealer(*this).run();
}

/// Gives the set its number, its place in the chain, and a place in the tail.
core::UnitRef StoreImpl::publish(codec::BodyWriter& writer) {
  const auto own = meta_.own_stream();
  const auto origin = meta_.origin_of(own);
  core::Header header;
  header.kind = core::UnitKind::set;
  header.stream = own;
  header.first = header.last = meta_.covered()[origin] + 1;
  if (const auto it = have().find(own); it != have().end()) header.prev = it->second.hash;
  for (const auto& [stream, tip] : have()) {
    if (stream == own) continue;
    const auto other = meta_.origin_of(stream);
    auto& told = db_.cached("SELECT seq FROM mycelial_context WHERE stream = ?1 AND other = ?2");
    told.bind(1, origin).bind(2, other);
    const bool known = told.step() && told.number(0) == tip.seq;
    told.reset();
    if (known) continue;
    header.deps.emplace_back(stream, tip);
    db_.cached("INSERT OR REPLACE INTO mycelial_context VALUES(?1, ?2, ?3)")
        .bind(1, origin)
        .bind(2, other)
        .bind(3, tip.seq)
        .run();
  }
  const Bytes body = writer.finish();
  header.body_bytes = body.size();
  const Bytes bytes = codec::encode_unit(header, body);
  const auto view = codec::decode_unit(bytes);
  if (!view.ok()) throw StorageError(Errc::internal, "sealed a set that cannot be read");
  auto ref = keep_set(header, view->id, bytes);
  meta_.advance(own, {header.last, view->id});
  sealed_now_ = true;
  publishing_.push_back(ref);
  return ref;
}

}  // namespace mycelial::storage
