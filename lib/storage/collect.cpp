// SPDX-License-Identifier: Apache-2.0
// Collecting: forgetting deaths and sets that every member holds that we wait for. It walks through
// the book a little at a time, reading; it writes only where there is something to forget, a little
// at a time. Whoever lacks a death that was forgotten gets a full cut: see floors in cut.cpp.
#include <algorithm>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::size_t kRecordsPerStep = 500;  // read, and about so many written: a few ms
constexpr int kSegmentsPerStep = 8;
constexpr std::uint64_t kPauseMax = 3'600'000;
constexpr std::uint64_t kLookEvery = 600'000;
constexpr std::uint64_t kDeadMin = 10'000;  // so many deaths are no burden
constexpr std::uint64_t kMsPerStep = 100;   // of a pause: walking takes little of the time

/// Nothing is left but that a row found at track is dead.
bool is_grave(const core::Row& row) {
  const auto of_baseline = [](const core::Mark& m) { return m.origin == 0; };
  return row.cells.empty() && row.killers.empty() && !row.dead.empty() &&
         std::ranges::all_of(row.births, of_baseline) && std::ranges::all_of(row.dead, of_baseline);
}

bool is_nothing(const core::Row& row) {
  return row.cells.empty() && row.killers.empty() && row.births.empty() && row.dead.empty();
}

}  // namespace

std::uint64_t StoreImpl::retention_ms() {
  if (options_.retention_ms) return *options_.retention_ms;
  const auto kept = meta_.get("retention_ms");
  return kept.empty() ? kRetentionMs
                      : static_cast<std::uint64_t>(meta_.get_integer("retention_ms"));
}

core::Patience StoreImpl::patience() {
  core::Seqs floor;
  for (const auto& [stream, seq] : meta_.floors()) floor[stream] = seq;
  return {retention_ms(), crowded_, std::move(floor)};
}

/// If something is held by all by now that was not when the last walk began.
void StoreImpl::begin_collecting() {
  const auto now = options_.clock->monotonic_ms();
  if (now < collect_at_) return;
  core::MemberBook& book = *members();
  book.learn(have());
  std::vector<std::uint64_t> floor(meta_.origins());
  bool moved = false;
  for (const auto& [stream, seq] : book.floor(have(), patience())) {
    const auto origin = *meta_.find_origin(stream);
    floor[origin] = seq;
    moved |= seq > (origin < collected_.size() ? collected_[origin] : 0);
  }
  std::uint64_t sets = 0;
  for (const auto& [stream, tip] : have()) sets += tip.seq;
  // If somebody holds everything back: it is time to see how much that is.
  moved |= sets != walked_sets_ && now >= walked_at_ + kLookEvery;
  if (!moved) {
    collect_at_ = now + options_.collect_every_ms;
    return;
  }
  walked_at_ = now;
  walked_sets_ = sets;
  walk_.emplace();
  walk_->floor = std::move(floor);
  for (const auto& [id, io] : tables_) walk_->tables.push_back(id);
  std::ranges::reverse(walk_->tables);
}

void StoreImpl::end_collecting() {
  const auto steps = walk_->steps;
  // Little to forget: wait for more.
  pause_ms_ = walk_->forgot ? options_.collect_every_ms
                            : std::min(2 * std::max<std::uint64_t>(pause_ms_, 1), kPauseMax);
  pause_ms_ = std::max({pause_ms_, options_.collect_every_ms, steps * kMsPerStep});
  if (options_.collect_every_ms == 0) pause_ms_ = 0;
  collect_at_ = options_.clock->monotonic_ms() + pause_ms_;
  crowded_ = walk_->dead > std::max(kDeadMin, walk_->alive);
  collected_ = std::move(walk_->floor);
  walk_.reset();
}

void StoreImpl::note_forgettable(Forgettable item, const core::Marks& killers) {
  walk_->found.push_back(std::move(item));
  for (const auto& k : killers) {
    auto& floor = walk_->killers;
    if (floor.size() <= k.origin) floor.resize(k.origin + 1);
    floor[k.origin] = std::max(floor[k.origin], k.seq);
  }
}

/// False: the table has no further segments.
bool StoreImpl::look_at_segments(std::uint32_t table) {
  core::Row row;
  for (int left = kSegmentsPerStep; left > 0; --left) {
    const auto entries = segments_->entries_from(table, walk_->segment);
    if (entries.empty()) return false;
    walk_->alive += entries.size();
    for (const auto& e : entries) {
      unpack_row(e.state, tables_.at(table)->columns(), row);
      const auto killers = row.killers;
      if (!core::forget_deaths(row, walk_->floor)) continue;
      note_forgettable({table, e.rowid, {}, {}}, killers);
    }
    if (walk_->segment == std::numeric_limits<std::int64_t>::max()) return false;
    ++walk_->segment;
  }
  return true;
}

/// False: the table has no further records.
bool StoreImpl::look_at_records(std::uint32_t table) {
  if (!has_records(table)) return false;
  Statement list(db_,
                 "SELECT ident, status, data FROM mycelial_row WHERE tbl = ?1 AND ident > ?2 "
                 "ORDER BY ident LIMIT ?3");
  const Bytes after = walk_->record;
  list.bind(1, table).bind_blob(2, after).bind(3, static_cast<std::uint64_t>(kRecordsPerStep));
  std::size_t seen = 0;
  BookRow at;
  core::Row row;
  for (; list.step(); ++seen) {
    walk_->record = list.blob(0);
    at.place = BookRow::Place::record;
    at.status = static_cast<RowStatus>(list.integer(1));
    ++(at.status == RowStatus::dead ? walk_->dead : walk_->alive);
    decode_record(list.blob(2), at.state);
    unpack(at, tables_.at(table).get(), row);
    const auto killers = row.killers;
    const bool less = core::forget_deaths(row, walk_->floor);
    if (!less && !(at.status == RowStatus::dead && is_grave(row))) continue;
    note_forgettable({table, 0, walk_->record, Bytes(list.blob(2))}, killers);
  }
  return seen == kRecordsPerStep;
}

/// Sets that everybody has, beyond a few that help whoever was copied or restored lately. False:
/// there are no further ones.
bool StoreImpl::look_at_tail() {
  if (!walk_->spare) {
    const auto bytes = db_.integer("SELECT sum(size) FROM mycelial_set");
    walk_->spare = bytes - static_cast<std::int64_t>(std::min(tail_limit(), acked_limit()));
  }
  if (*walk_->spare <= 0) return false;
  Statement list(db_,
                 "SELECT ord, stream, last, size FROM mycelial_set WHERE ord > ?1 ORDER BY ord "
                 "LIMIT ?2");
  list.bind(1, walk_->set).bind(2, static_cast<std::uint64_t>(kRecordsPerStep));
  std::size_t seen = 0;
  for (; list.step() && *walk_->spare > 0; ++seen) {
    walk_->set = list.number(0);
    const auto origin = list.number(1);
    if (origin >= walk_->floor.size() || list.number(2) > walk_->floor[origin]) continue;
    walk_->sets.push_back(walk_->set);
    *walk_->spare -= list.integer(3);
  }
  return seen == kRecordsPerStep && *walk_->spare > 0;
}

/// One step of the walk, reading only.
void StoreImpl::walk_on() {
  ++walk_->steps;
  if (walk_->tables.empty()) {
    walk_->over = !look_at_tail();
    return;
  }
  const auto table = walk_->tables.back();
  const bool is_here = tables_.contains(table);
  if (is_here && tables_.at(table)->has_rowid() && !walk_->in_records) {
    walk_->in_records = !look_at_segments(table);
    return;
  }
  if (is_here && look_at_records(table)) return;
  walk_->tables.pop_back();
  walk_->in_records = false;
  walk_->segment = std::numeric_limits<std::int64_t>::min();
  walk_->record.clear();
}

/// Details of a row that lives, or of one that is dead for good.
void StoreImpl::forget_row(const Forgettable& item) {
  TableIo* const io = table(item.table);
  if (!io) return;
  core::Row row;
  if (item.identity.empty()) {
    if (!segments_->find(item.table, item.rowid, entry_)) return;
    unpack_row(entry_.state, io->columns(), row);
    if (!core::forget_deaths(row, walk_->floor)) return;
    pack_row(row, io->columns(), state_);
    segments_->put(item.table, item.rowid, state_, entry_.hidden, entry_.witness);
    return;
  }
  BookRow at;
  find_record(item.table, item.identity, at);
  encode_record(at.state, record_);
  if (at.place != BookRow::Place::record || record_ != item.data) return;  // somebody wrote to it
  unpack(at, io, row);
  (void)core::forget_deaths(row, walk_->floor);
  if (at.status == RowStatus::dead && (is_nothing(row) || is_grave(row))) {
    if (is_grave(row)) bury(item.table, item.identity);
    return erase_record(item.table, item.identity);
  }
  static const ColumnSet none;
  pack_row(row, at.shown() ? io->columns() : none, state_);
  encode_record(state_, record_);
  db_.cached("UPDATE mycelial_row SET data = ?3 WHERE tbl = ?1 AND ident = ?2")
      .bind(1, item.table)
      .bind_blob(2, item.identity)
      .bind_blob(3, record_)
      .run();
}

/// What has been found goes. Who lacks one of the sets that killed needs a full cut from now on.
void StoreImpl::forget_found() {
  for (core::Origin o = 1; o < walk_->killers.size(); ++o) meta_.raise_floor(o, walk_->killers[o]);
  for (const auto& item : walk_->found) forget_row(item);
  for (const auto ord : walk_->sets) {
    Statement set(db_, "DELETE FROM mycelial_set WHERE ord = ?1 RETURNING hash, data IS NULL");
    if (!set.bind(1, ord).step()) continue;
    if (set.integer(1) != 0) files_.remove(Hash::from(set.blob(0)));
    tail_bytes_.reset();
  }
}

Result<bool> StoreImpl::collect() {
  const auto before = walk_;
  Status status = read_only([&] {
    if (!has_collecting_) return;
    if (!walk_) begin_collecting();
    if (walk_) walk_on();
  });
  if (status.ok() && walk_) {
    const auto found = walk_->found.size() + walk_->sets.size();
    const bool full = found >= kRecordsPerStep;
    const bool last =
        walk_->over && found > 0 && (walk_->forgot || found >= options_.collect_worth);
    if (full || last) status = write([&] { forget_found(); });
    if (status.ok() && (full || last)) {
      walk_->forgot = true;
      walk_->found.clear(), walk_->sets.clear(), walk_->killers.clear();
    }
  }
  if (!status.ok()) {
    walk_ = before;
    return status;
  }
  if (walk_ && walk_->over) end_collecting();
  if (!walk_) status = save_members_if_due();
  if (!status.ok()) return status;
  return walk_.has_value();
}

}  // namespace mycelial::storage
