// SPDX-License-Identifier: Apache-2.0
#include "history.hpp"

#include <algorithm>

namespace mycelial::core::testing {
namespace {

std::vector<Stream> make_streams(std::uint32_t sites) {
  std::vector<Stream> out(1);
  for (std::uint32_t i = 1; i <= sites; ++i) {
    out.emplace_back().site.bytes[0] = static_cast<std::uint8_t>(200 - i);
  }
  return out;
}

std::uint64_t at(const Seen& seen, Origin origin) {
  return origin < seen.size() ? seen[origin] : 0;
}

void set(Seen& seen, Origin origin, std::uint64_t seq) {
  if (seen.size() <= origin) seen.resize(origin + 1);
  seen[origin] = std::max(seen[origin], seq);
}

bool same_column(const Cell& a, const Cell& b) {
  return a.column == b.column;
}

/// Values of a dead birth go on: they are given the births that live.
Row keep_old_life(Row row, const Row& merged) {
  for (auto& w : row.writes) {
    const bool lives = std::any_of(w.targets.begin(), w.targets.end(), [&](const Mark& t) {
      return std::none_of(merged.dead.begin(), merged.dead.end(),
                          [&](const Mark& d) { return d.origin == t.origin && d.seq >= t.seq; });
    });
    if (!lives) w.targets = alive(merged);
  }
  return row;
}

}  // namespace

bool covers(const Seen& seen, const Mark& dot) {
  return at(seen, dot.origin) >= dot.seq;
}

void join(Seen& into, const Seen& other) {
  for (Origin o = 0; o < other.size(); ++o) set(into, o, other[o]);
}

World::World(std::uint32_t sites, Fault planted)
    : streams(make_streams(sites)), ranks(streams), fault(planted) {}

Row join_rows(const World& world, const Row& x, const Row& y, const Seen& have_x,
              const Seen& have_y, std::vector<Discarded>* discarded) {
  switch (world.fault) {
    case Fault::ignores_have:
      return merge_rows(x, y, {}, {}, world.ranks, discarded);
    case Fault::arrival_wins: {
      Row late = x;
      std::erase_if(late.cells, [&](const Cell& c) {
        return std::any_of(y.cells.begin(), y.cells.end(),
                           [&](const Cell& d) { return same_column(c, d); });
      });
      return merge_rows(late, y, have_x, have_y, world.ranks, discarded);
    }
    case Fault::old_life: {
      const Row merged = merge_rows(x, y, have_x, have_y, world.ranks);
      return merge_rows(keep_old_life(x, merged), keep_old_life(y, merged), have_x, have_y,
                        world.ranks, discarded);
    }
    default:
      return merge_rows(x, y, have_x, have_y, world.ranks, discarded);
  }
}

// ---- plain SQL ----------------------------------------------------------------------------------

void Replica::note(Verb verb, const RowName& row, std::map<Column, std::int64_t> typed) {
  journal_.push_back({verb, row, std::move(typed), now()});
}

bool Replica::insert(std::int64_t key, std::int64_t value) {
  const RowName row{0, key};
  if (table_.contains(row)) return false;
  table_[row] = {value, value};
  note(Verb::insert, row, {{kA, value}, {kB, value}});
  return true;
}

bool Replica::insert_keyless(std::int64_t value) {
  const RowName row{label_, ++world_->keyless};
  table_[row] = {value, value};
  note(Verb::insert, row, {{kA, value}, {kB, value}});
  return true;
}

bool Replica::replace(std::int64_t key, std::int64_t value) {
  if (table_.erase({0, key})) note(Verb::leave, {0, key});
  return insert(key, value);
}

bool Replica::upsert(std::int64_t key, std::int64_t value) {
  const RowName row{0, key};
  if (!table_.contains(row)) return insert(key, value);
  table_[row][kA] = value;
  note(Verb::upsert, row, {{kA, value}});
  return true;
}

bool Replica::update(const RowName& row, Column column, std::int64_t value) {
  const auto it = table_.find(row);
  if (it == table_.end()) return false;
  it->second[column] = value;
  note(Verb::update, row, {{column, value}});
  return true;
}

bool Replica::remove(const RowName& row) {
  if (!table_.erase(row)) return false;
  note(Verb::remove, row);
  return true;
}

bool Replica::rekey(std::int64_t from, std::int64_t to) {
  const auto it = table_.find({0, from});
  if (it == table_.end() || table_.contains({0, to})) return false;
  const Values values = it->second;
  table_.erase(it);
  note(Verb::leave, {0, from});
  table_[{0, to}] = values;
  note(Verb::insert, {0, to}, {{kA, values[kA]}, {kB, values[kB]}});
  return true;
}

bool Replica::swap_keys(std::int64_t one, std::int64_t other) {
  if (!table_.contains({0, one}) || !table_.contains({0, other}) || one == other) return false;
  std::swap(table_[{0, one}], table_[{0, other}]);
  for (const auto key : {one, other}) note(Verb::leave, {0, key});
  for (const auto key : {one, other}) {
    const auto& v = table_[{0, key}];
    note(Verb::insert, {0, key}, {{kA, v[kA]}, {kB, v[kB]}});
  }
  return true;
}

// ---- sealing ------------------------------------------------------------------------------------

Row Replica::piece_of(const RowName& name, const std::vector<std::pair<const Entry*, Hlc>>& entries,
                      const Mark& dot, bool baseline) {
  const auto known = rows_.find(name);
  const Row before = known == rows_.end() ? Row{} : known->second;
  const auto shown = table_.find(name);
  LocalWrite w;
  w.dot = dot;
  w.shown = shown != table_.end();
  w.baseline = baseline && world_->fault != Fault::baseline_born;
  std::map<Column, Hlc> when;
  for (const auto& [entry, time] : entries) {
    w.fresh |= entry->verb != Verb::update && entry->verb != Verb::upsert;
    w.upsert |= entry->verb == Verb::upsert && world_->fault != Fault::upsert_no_birth;
    w.upsert |= entry->verb == Verb::update && world_->fault == Fault::update_revives;
    w.time = time;
    for (const auto& [column, value] : entry->typed) when[column] = time;
  }
  const bool fresh = w.fresh || !is_alive(before);
  for (Column c = 0; c < kColumns && w.shown; ++c) {
    const bool wrote = when.contains(c);
    const bool image = w.upsert && world_->fault != Fault::no_image;
    if (!wrote && !fresh && !image) continue;
    const Hlc time = wrote ? when[c] : fresh ? w.time : 0;
    w.written.push_back({c, time, Value::of(shown->second[c])});
  }
  Row piece = local_piece(before, w, world_->ranks);
  if (world_->fault == Fault::no_bump) {
    for (auto& cell : piece.cells) {
      const auto typed = when.find(cell.column);
      if (typed == when.end() || w.baseline) continue;
      piece.writes.push_back(piece.writes[cell.write]);
      piece.writes.back().stamp.time = typed->second;
      cell.write = static_cast<std::uint32_t>(piece.writes.size() - 1);
    }
  }
  return piece;
}

std::optional<ChangeSet> Replica::seal(bool baseline) {
  if (journal_.empty()) return std::nullopt;
  const Mark dot{site_, at(have_, site_) + 1};
  ChangeSet out;
  out.ranges[site_] = {dot.seq, dot.seq};
  out.context = have_;
  out.baseline = baseline;
  out.journal = std::exchange(journal_, {});
  std::map<RowName, std::vector<std::pair<const Entry*, Hlc>>> touched;
  for (const auto& entry : out.journal) {
    touched[entry.row].emplace_back(&entry, clock_.stamp_write(entry.written_ms, now()));
  }
  for (const auto& [name, entries] : touched) {
    if (table_.contains(name)) out.shown.insert(name);
    Row piece = piece_of(name, entries, dot, baseline);
    if (piece != Row{}) out.rows[name] = std::move(piece);
  }
  label_ = site_;
  take(out.rows, {}, nullptr);
  set(have_, site_, dot.seq);
  tail_.push_back(out);
  return out;
}

// ---- receiving ----------------------------------------------------------------------------------

void Replica::show(const RowName& name, const Row& row) {
  table_.erase(name);
  if (!is_alive(row)) return;
  Values& values = table_[name];
  for (Column c = 0; c < kColumns; ++c) {
    const Cell* cell = winner(row, c, world_->ranks);
    values[c] = cell ? cell->value.integer : 0;
  }
}

void Replica::take(const Rows& rows, const Seen& have_theirs, const Seen* author_saw) {
  for (const auto& [name, piece] : rows) {
    std::vector<Discarded> discarded;
    Row& row = rows_[name];
    row = join_rows(*world_, row, piece, have_, have_theirs, &discarded);
    for (const auto& d : discarded) {
      const Mark dot{d.stamp.origin, d.stamp.seq};
      if (!d.died || !author_saw || d.carrier != dot || dot.origin == 0) continue;
      if (covers(have_, dot) && covers(*author_saw, dot)) continue;
      lost_.insert({name, d.column, dot});
    }
    show(name, row);
  }
}

bool Replica::apply(const ChangeSet& s) {
  if (world_->fault != Fault::seal_after) seal();
  const auto held = [&](const auto& r) { return at(have_, r.first) >= r.second.second; };
  if (std::all_of(s.ranges.begin(), s.ranges.end(), held)) return true;
  for (Origin o = 0; o < s.context.size() && world_->fault != Fault::no_gate; ++o) {
    const auto inside = s.ranges.find(o);
    const auto needs =
        inside == s.ranges.end() ? s.context[o] : std::min(s.context[o], inside->second.first - 1);
    if (at(have_, o) < needs) return false;
  }
  Seen saw = s.context;
  for (const auto& [o, range] : s.ranges) set(saw, o, range.second);
  for (const auto& [name, row] : s.rows) {
    for (const auto& w : row.writes) clock_.observe(w.stamp.time, now());
  }
  take(s.rows, {}, &saw);
  for (const auto& [o, range] : s.ranges) set(have_, o, range.second);
  tail_.push_back(s);
  return true;
}

Cut Replica::cut(const Seen& peer) {
  seal();
  Cut out{have_, floor_, {}, false};
  for (Origin o = 0; o < floor_.size(); ++o) out.full |= floor_[o] > at(peer, o);
  out.full &= world_->fault != Fault::thin_rebase;
  const auto lacks = [&](const Mark& m) { return !covers(peer, m); };
  const auto birth_lacks = [&](const Mark& m) { return m.origin != 0 && lacks(m); };
  for (const auto& [name, row] : rows_) {
    const bool news = std::any_of(row.killers.begin(), row.killers.end(), lacks) ||
                      std::any_of(row.births.begin(), row.births.end(), birth_lacks) ||
                      std::any_of(row.writes.begin(), row.writes.end(),
                                  [&](const Write& w) { return lacks(w.carrier); });
    if (out.full || news) out.rows[name] = row;
  }
  return out;
}

void Replica::apply_cut(const Cut& c) {
  seal();
  Rows rows = c.rows;
  if (c.full) {
    for (const auto& [name, row] : rows_) rows.try_emplace(name);
  }
  for (const auto& [name, row] : rows) {
    for (const auto& w : row.writes) clock_.observe(w.stamp.time, now());
  }
  take(rows, c.have, nullptr);
  join(have_, c.have);
  if (world_->fault != Fault::drops_floor) join(floor_, c.floor);
}

void Replica::collect(const Seen* held_by_all) {
  seal();
  const Seen all = held_by_all ? *held_by_all : have_;
  for (auto it = rows_.begin(); it != rows_.end();) {
    Row& row = it->second;
    const Marks killers = row.killers;
    if (forget_deaths(row, all) && world_->fault != Fault::no_floor) {
      for (const auto& k : killers) set(floor_, k.origin, k.seq);
    }
    const auto of_baseline = [](const Mark& m) { return m.origin == 0; };
    if (world_->fault == Fault::collects_baseline && !is_alive(row) && row.killers.empty()) {
      std::erase_if(row.births, of_baseline);
      std::erase_if(row.dead, of_baseline);
    }
    it = row == Row{} ? rows_.erase(it) : std::next(it);
  }
}

Replica Replica::copy_as(Origin site) const {
  Replica out = *this;
  if (world_->fault != Fault::shared_site) out.site_ = site;
  return out;
}

void Replica::move_to(Origin site, std::int64_t skew_ms) {
  site_ = label_ = site;
  skew_ms_ = skew_ms;
}

Rows essence(const Rows& rows) {
  Rows out;
  for (const auto& [name, row] : rows) {
    Row says = row;
    says.births = alive(row);
    says.dead.clear();
    if (says != Row{}) out[name] = std::move(says);
  }
  return out;
}

// ---- folds --------------------------------------------------------------------------------------

ChangeSet fold(const World& world, const std::vector<const ChangeSet*>& sets) {
  ChangeSet out;
  for (const auto* s : sets) {
    for (const auto& [o, range] : s->ranges) {
      const auto [it, added] = out.ranges.try_emplace(o, range);
      if (!added) it->second = {std::min(it->second.first, range.first), range.second};
    }
    join(out.context, s->context);
    for (const auto& [name, row] : s->rows) {
      if (world.fault == Fault::fold_first && out.rows.contains(name)) continue;
      out.rows[name] = join_rows(world, out.rows[name], row, {}, {});
    }
  }
  return out;
}

std::vector<std::vector<const ChangeSet*>> windows(const World& world,
                                                   const std::vector<const ChangeSet*>& backlog) {
  std::map<Mark, std::size_t> place;
  for (std::size_t i = 0; i < backlog.size(); ++i) place[backlog[i]->dot()] = i;
  struct Run {
    std::size_t first, window;
  };
  std::map<Origin, Run> runs;
  std::vector<std::vector<const ChangeSet*>> out;
  for (std::size_t i = 0; i < backlog.size(); ++i) {
    const ChangeSet& s = *backlog[i];
    const Origin own = s.dot().origin;
    const auto run = runs.find(own);
    const bool joins =
        run != runs.end() && (world.fault == Fault::fold_any ||
                              std::all_of(place.begin(), place.end(), [&](const auto& p) {
                                return p.first.origin == own || !covers(s.context, p.first) ||
                                       p.second < run->second.first;
                              }));
    if (joins) {
      out[run->second.window].push_back(&s);
    } else {
      runs[own] = {i, out.size()};
      out.push_back({&s});
    }
  }
  return out;
}

std::string describe(const Table& table) {
  std::string out;
  for (const auto& [name, values] : table) {
    out += "(" + std::to_string(name.first) + ":" + std::to_string(name.second) +
           " a=" + std::to_string(values[kA]) + " b=" + std::to_string(values[kB]) + ") ";
  }
  return out.empty() ? "(empty)" : out;
}

}  // namespace mycelial::core::testing
