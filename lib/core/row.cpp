// SPDX-License-Identifier: Apache-2.0
#include "core/row.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

#include "core/policy/part.hpp"

namespace mycelial::core {
namespace {

std::uint64_t held(Covered have, Origin origin) {
  return origin != 0 && origin < have.size() ? have[origin] : 0;
}

std::uint64_t seq_of(const Marks& marks, Origin origin) {
  for (const auto& m : marks) {
    if (m.origin == origin) return m.seq;
  }
  return 0;
}

/// Pointwise maximum; both sorted by origin.
void join_marks(const Marks& a, const Marks& b, Marks& out) {
  out.clear();
  auto x = a.begin();
  auto y = b.begin();
  while (x != a.end() || y != b.end()) {
    if (y == b.end() || (x != a.end() && x->origin < y->origin)) {
      out.push_back(*x++);
    } else if (x == a.end() || y->origin < x->origin) {
      out.push_back(*y++);
    } else {
      out.push_back({x->origin, std::max(x->seq, y->seq)});
      ++x, ++y;
    }
  }
}

bool lives(const Write& w, const Marks& dead) {
  return std::any_of(w.targets.begin(), w.targets.end(),
                     [&](const Mark& t) { return t.seq > seq_of(dead, t.origin); });
}

/// w lives as long as v does: it was written to every birth of v that is not dead.
bool outlives(const Write& w, const Write& v, const Marks& dead) {
  if (w.targets == v.targets) return true;
  return std::all_of(v.targets.begin(), v.targets.end(), [&](const Mark& t) {
    return t.seq <= seq_of(dead, t.origin) || seq_of(w.targets, t.origin) >= t.seq;
  });
}

/// Order of versions of one column: by stamp; of equal stamps the later set's, then the one whose
/// value is at hand.
bool version_less(const Write& x, const Cell& cx, const Write& y, const Cell& cy,
                  const Ranks& ranks) {
  if (x.stamp != y.stamp) return stamp_less(x.stamp, y.stamp, ranks);
  if (takes_out(cx.value, cy.value) || takes_out(cy.value, cx.value)) {
    return takes_out(cy.value, cx.value);
  }
  if (x.carrier != y.carrier) {
    return std::tuple(ranks.of(x.carrier.origin), x.carrier.seq) <
           std::tuple(ranks.of(y.carrier.origin), y.carrier.seq);
  }
  return cx.value.type != Value::Type::in_table && cy.value.type == Value::Type::in_table;
}

/// The canonical order of the writes of a result.
bool write_less(const Write& a, const Write& b) {
  const auto key = [](const Write& w) {
    return std::tie(w.stamp.time, w.stamp.origin, w.stamp.seq, w.carrier);
  };
  return key(a) != key(b) ? key(a) < key(b) : a.targets < b.targets;
}

/// Writes of a result: each once, in a canonical order.
class WriteTable {
 public:
  explicit WriteTable(std::vector<Write>& writes) : writes_(writes) {}

  std::uint32_t add(const Write& w) {
    // Cells that are neighbours mostly are of one write of one side.
    for (auto& [write, place] : last_) {
      if (write == &w) return place;
    }
    const auto place = find_or_append(w);
    std::swap(last_[0], last_[1]);
    last_[0] = {&w, place};
    return place;
  }
  void finish(std::vector<Cell>& cells) {
    writes_.resize(count_);
    if (std::is_sorted(writes_.begin(), writes_.end(), write_less)) return;
    std::vector<std::uint32_t> order(count_), place(count_);
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return write_less(writes_[a], writes_[b]); });
    std::vector<Write> sorted;
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      place[order[i]] = i;
      sorted.push_back(std::move(writes_[order[i]]));
    }
    writes_ = std::move(sorted);
    for (auto& c : cells) c.write = place[c.write];
  }

 private:
  std::uint32_t find_or_append(const Write& w) {
    for (std::size_t i = count_; i-- > 0;) {
      if (writes_[i] == w) return static_cast<std::uint32_t>(i);
    }
    if (count_ < writes_.size()) {
      writes_[count_] = w;
    } else {
      writes_.push_back(w);
    }
    return static_cast<std::uint32_t>(count_++);
  }

  struct Added {
    const Write* write = nullptr;
    std::uint32_t place = 0;
  };
  std::vector<Write>& writes_;
  std::size_t count_ = 0;
  std::array<Added, 2> last_;
};

bool lists(const Marks& marks, Origin origin) {
  return std::any_of(marks.begin(), marks.end(), [&](const Mark& m) { return m.origin == origin; });
}

/// Births that either side lists as dead, or that a side should list and does not (THE rule).
class Dead {
 public:
  Dead(const Row& x, const Row& y, Covered have_x, Covered have_y)
      : x_(x), y_(y), have_x_(have_x), have_y_(have_y) {}

  /// Of the births that the rows list.
  void listed(Marks& out) const {
    out.clear();
    for (const auto* marks : {&x_.births, &y_.births, &x_.dead, &y_.dead}) {
      for (const auto& m : *marks) add(m.origin, out);
    }
  }
  /// The same for births that only a value names: its row, or its death, has been forgotten.
  void targets(const Write& w, Marks& out) const {
    for (const auto& t : w.targets) add(t.origin, out);
  }

 private:
  void add(Origin origin, Marks& out) const {
    if (lists(out, origin)) return;
    const auto seq = std::max(side(x_, have_x_, origin), side(y_, have_y_, origin));
    if (seq == 0) return;
    out.push_back({origin, seq});
    std::sort(out.begin(), out.end());
  }
  static std::uint64_t side(const Row& r, Covered have, Origin o) {
    const std::uint64_t listed = seq_of(r.dead, o);
    // A side that says anything about the births of an origin is exact about them.
    const bool speaks = listed > 0 || seq_of(r.births, o) > 0;
    return speaks ? listed : held(have, o);
  }

  const Row& x_;
  const Row& y_;
  Covered have_x_, have_y_;
};

}  // namespace

Ranks::Ranks(std::span<const Stream> origins) : rank_(origins.size()) {
  std::vector<std::uint32_t> order(origins.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return origins[a] < origins[b]; });
  for (std::uint32_t i = 0; i < order.size(); ++i) rank_[order[i]] = i;
  for (const auto& stream : origins) sites_.push_back(stream.site);
}

bool stamp_less(const Stamp& a, const Stamp& b, const Ranks& ranks) {
  if (a.time != b.time) return a.time < b.time;
  if (a.origin != b.origin) return ranks.of(a.origin) < ranks.of(b.origin);
  return a.seq < b.seq;
}

void RowJoiner::drop(const Version& v, bool died, std::vector<Discarded>* discarded) {
  if (!discarded) return;
  discarded->push_back({v.cell->column, v.cell->value, v.write->carrier, v.write->stamp, died});
}

void RowJoiner::sort_versions(const Ranks& ranks) {
  if (versions_.size() < 2) return;
  std::sort(versions_.begin(), versions_.end(), [&](const Version& a, const Version& b) {
    return version_less(*a.write, *a.cell, *b.write, *b.cell, ranks);
  });
}

/// What is left of versions_ goes to left_.
void RowJoiner::join_column(const Ranks& ranks, std::vector<Discarded>* discarded) {
  std::erase_if(versions_, [&](const Version& v) {
    const bool dies = !lives(*v.write, dead_);
    if (dies) drop(v, true, discarded);
    return dies;
  });
  sort_versions(ranks);
  left_.clear();
  for (std::size_t i = 0; i < versions_.size(); ++i) {
    const Write& w = *versions_[i].write;
    bool contained = false;
    for (std::size_t j = i + 1; j < versions_.size() && !contained; ++j) {
      contained = outlives(*versions_[j].write, w, dead_);
    }
    // Of equal stamps the later in order stays, unless it dies sooner.
    for (std::size_t j = 0; j < i && !contained; ++j) {
      const Write& other = *versions_[j].write;
      contained = other.stamp == w.stamp && outlives(other, w, dead_) &&
                  !outlives(w, other, dead_) &&
                  !takes_out(versions_[i].cell->value, versions_[j].cell->value);
    }
    if (contained) {
      drop(versions_[i], false, discarded);
    } else {
      left_.push_back(versions_[i]);
    }
  }
}

/// The same for versions that live, each as long as the others: only the greatest is left.
void RowJoiner::join_alike(const Ranks& ranks, std::vector<Discarded>* discarded) {
  sort_versions(ranks);
  left_.assign(1, versions_.back());
  versions_.pop_back();
  for (const auto& v : versions_) drop(v, false, discarded);
}

/// The same for a column of several registers: each for itself.
void RowJoiner::join_registers(const Ranks& ranks, std::vector<Discarded>* discarded) {
  std::vector<Version> all;
  all.swap(versions_);
  const auto less = [](const Version& a, const Version& b) {
    return register_less(a.cell->value, a.write->stamp.origin, b.cell->value,
                         b.write->stamp.origin);
  };
  std::sort(all.begin(), all.end(), less);
  std::vector<Version> left;
  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::upper_bound(first, all.end(), *first, less);
    versions_.assign(first, last);
    join_column(ranks, discarded);
    left.insert(left.end(), left_.begin(), left_.end());
    first = last;
  }
  left_.swap(left);
}

/// Fills dead_. True if all versions of both rows live, and were written to the same births.
bool RowJoiner::find_dead(const Row& x, const Row& y, Covered have_x, Covered have_y,
                          Marks& listed) {
  const Dead dead(x, y, have_x, have_y);
  dead.listed(listed);
  dead_ = listed;
  const Write* first = nullptr;
  bool alike = true;
  for (const Row* row : {&x, &y}) {
    for (const auto& w : row->writes) {
      if (first && w.targets == first->targets) continue;
      dead.targets(w, dead_);
      alike &= first == nullptr;
      first = &w;
    }
  }
  return alike && first && lives(*first, dead_);
}

void RowJoiner::join(const Row& x, const Row& y, Covered have_x, Covered have_y, const Ranks& ranks,
                     Row& out, std::vector<Discarded>* discarded) {
  join_marks(x.births, y.births, out.births);
  const bool alike = find_dead(x, y, have_x, have_y, out.dead);
  join_marks(x.killers, y.killers, out.killers);
  WriteTable writes(out.writes);
  out.cells.clear();
  auto a = x.cells.begin();
  auto b = y.cells.begin();
  while (a != x.cells.end() || b != y.cells.end()) {
    const std::uint32_t column =
        std::min(a != x.cells.end() ? a->column : ~0u, b != y.cells.end() ? b->column : ~0u);
    versions_.clear();
    for (; a != x.cells.end() && a->column == column; ++a)
      versions_.push_back({&*a, &x.writes[a->write]});
    for (; b != y.cells.end() && b->column == column; ++b)
      versions_.push_back({&*b, &y.writes[b->write]});
    const bool parts = std::ranges::any_of(
        versions_, [](const Version& v) { return v.cell->value.type == Value::Type::part; });
    if (parts) {
      join_registers(ranks, discarded);
    } else if (alike) {
      join_alike(ranks, discarded);
    } else {
      join_column(ranks, discarded);
    }
    for (const auto& v : left_) out.cells.push_back({column, writes.add(*v.write), v.cell->value});
  }
  writes.finish(out.cells);
}

Row merge_rows(const Row& x, const Row& y, Covered have_x, Covered have_y, const Ranks& ranks,
               std::vector<Discarded>* discarded) {
  Row out;
  RowJoiner().join(x, y, have_x, have_y, ranks, out, discarded);
  return out;
}

bool forget_deaths(Row& row, Covered floor) {
  const auto known = [&](const Mark& m) { return m.seq <= held(floor, m.origin); };
  if (!std::all_of(row.killers.begin(), row.killers.end(), known)) return false;
  const auto is_over = [&](const Mark& m) {
    return m.origin != 0 && seq_of(row.births, m.origin) <= seq_of(row.dead, m.origin);
  };
  const auto forgotten = std::erase_if(row.births, is_over);
  // A birth was dead by these, and is no more listed: so are they.
  const auto idle = std::erase_if(
      row.dead, [&](const Mark& m) { return m.origin != 0 && !lists(row.births, m.origin); });
  const bool killed = !row.killers.empty();
  row.killers.clear();
  return killed || forgotten + idle > 0;
}

Marks alive(const Row& row) {
  Marks out;
  for (const auto& m : row.births) {
    if (m.seq > seq_of(row.dead, m.origin)) out.push_back(m);
  }
  return out;
}

bool is_alive(const Row& row) {
  return std::any_of(row.births.begin(), row.births.end(),
                     [&](const Mark& m) { return m.seq > seq_of(row.dead, m.origin); });
}

const Cell* winner(const Row& row, std::uint32_t column, const Ranks& ranks) {
  const Cell* best = nullptr;
  const auto first =
      std::lower_bound(row.cells.begin(), row.cells.end(), column,
                       [](const Cell& c, std::uint32_t id) { return c.column < id; });
  for (auto c = first; c != row.cells.end() && c->column == column; ++c) {
    if (!best || !stamp_less(row.writes[c->write].stamp, row.writes[best->write].stamp, ranks)) {
      best = &*c;
    }
  }
  return best;
}

Stamp claim(const Row& row, std::span<const std::uint32_t> columns, const Ranks& ranks) {
  Stamp best;
  for (const auto column : columns) {
    const Cell* cell = winner(row, column, ranks);
    if (cell && stamp_less(best, row.writes[cell->write].stamp, ranks)) {
      best = row.writes[cell->write].stamp;
    }
  }
  return best;
}

}  // namespace mycelial::core
