// SPDX-License-Identifier: Apache-2.0
#include "core/row.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

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
Marks join(const Marks& a, const Marks& b) {
  if (a.empty() || a == b) return b;
  if (b.empty()) return a;
  Marks out;
  out.reserve(a.size() + b.size());
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
  return out;
}

/// One version of one column while rows are joined.
struct Version {
  const Cell* cell;
  const Write* write;
};

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

class Joiner {
 public:
  Joiner(const Marks& dead, const Ranks& ranks, std::vector<Discarded>* discarded)
      : dead_(dead), ranks_(ranks), discarded_(discarded) {}

  /// Versions of one column, from both sides: what is left of them goes to `out`.
  void column(std::vector<Version>& versions, std::vector<Version>& out) {
    std::erase_if(versions, [&](const Version& v) {
      const bool dies = !lives(*v.write, dead_);
      if (dies) drop(v, true);
      return dies;
    });
    std::sort(versions.begin(), versions.end(),
              [&](const Version& a, const Version& b) { return before(a, b); });
    for (std::size_t i = 0; i < versions.size(); ++i) {
      bool contained = false;
      for (std::size_t j = i + 1; j < versions.size() && !contained; ++j) {
        contained = outlives(*versions[j].write, *versions[i].write, dead_);
      }
      // Of equal stamps the later in order stays, unless it dies sooner.
      for (std::size_t j = 0; j < i && !contained; ++j) {
        contained = versions[j].write->stamp == versions[i].write->stamp &&
                    outlives(*versions[j].write, *versions[i].write, dead_) &&
                    !outlives(*versions[i].write, *versions[j].write, dead_);
      }
      if (contained) {
        drop(versions[i], false);
      } else {
        out.push_back(versions[i]);
      }
    }
  }

 private:
  bool before(const Version& a, const Version& b) const {
    if (a.write->stamp != b.write->stamp) {
      return stamp_less(a.write->stamp, b.write->stamp, ranks_);
    }
    const auto& x = a.write->carrier;
    const auto& y = b.write->carrier;
    if (x != y) {
      return std::tuple(ranks_.of(x.origin), x.seq) < std::tuple(ranks_.of(y.origin), y.seq);
    }
    return a.cell->value.type != Value::Type::in_table &&
           b.cell->value.type == Value::Type::in_table;
  }
  void drop(const Version& v, bool died) {
    if (discarded_) discarded_->push_back({*v.cell, *v.write, died});
  }

  const Marks& dead_;
  const Ranks& ranks_;
  std::vector<Discarded>* discarded_;
};

/// Writes of a result: each once, in a canonical order.
class WriteTable {
 public:
  std::uint32_t add(const Write& w) {
    for (std::size_t i = writes.size(); i-- > 0;) {
      if (writes[i] == w) return static_cast<std::uint32_t>(i);
    }
    writes.push_back(w);
    return static_cast<std::uint32_t>(writes.size() - 1);
  }
  void canonical(std::vector<Cell>& cells) {
    if (writes.size() < 2) return;
    std::vector<std::uint32_t> order(writes.size()), place(writes.size());
    std::iota(order.begin(), order.end(), 0u);
    const auto less = [&](const Write& a, const Write& b) {
      const auto key = [](const Write& w) {
        return std::tuple(w.stamp.time, w.stamp.origin, w.stamp.seq, w.carrier);
      };
      return key(a) != key(b) ? key(a) < key(b) : a.targets < b.targets;
    };
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return less(writes[a], writes[b]); });
    std::vector<Write> sorted;
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      place[order[i]] = i;
      sorted.push_back(std::move(writes[order[i]]));
    }
    writes = std::move(sorted);
    for (auto& c : cells) c.write = place[c.write];
  }
  std::vector<Write> writes;
};

bool lists(const Marks& marks, Origin origin) {
  return std::any_of(marks.begin(), marks.end(), [&](const Mark& m) { return m.origin == origin; });
}

/// Births that either side lists as dead, or that a side should list and does not (THE rule).
class Dead {
 public:
  Dead(const Row& x, const Row& y, Covered have_x, Covered have_y)
      : x_(x), y_(y), have_x_(have_x), have_y_(have_y) {
    marks_ = join(join(x.births, y.births), join(x.dead, y.dead));
    for (auto& m : marks_) m.seq = up_to(m.origin);
    std::erase_if(marks_, [](const Mark& m) { return m.seq == 0; });
  }

  /// Of the births that the row lists.
  const Marks& marks() const { return marks_; }
  /// The same for births that only a value names: its row, or its death, has been forgotten.
  Marks with_targets() const {
    Marks out = marks_;
    for (const Row* side : {&x_, &y_}) {
      for (const auto& w : side->writes) {
        for (const auto& t : w.targets) {
          if (lists(out, t.origin)) continue;
          if (const auto seq = up_to(t.origin)) out = join(out, {{t.origin, seq}});
        }
      }
    }
    return out;
  }

 private:
  std::uint64_t up_to(Origin origin) const {
    return std::max(side(x_, have_x_, origin), side(y_, have_y_, origin));
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
  Marks marks_;
};

bool is_empty(const Row& r) {
  return r.births.empty() && r.dead.empty() && r.killers.empty() && r.cells.empty();
}

}  // namespace

Ranks::Ranks(std::span<const Stream> origins) : rank_(origins.size()) {
  std::vector<std::uint32_t> order(origins.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return origins[a] < origins[b]; });
  for (std::uint32_t i = 0; i < order.size(); ++i) rank_[order[i]] = i;
}

bool stamp_less(const Stamp& a, const Stamp& b, const Ranks& ranks) {
  if (a.time != b.time) return a.time < b.time;
  if (a.origin != b.origin) return ranks.of(a.origin) < ranks.of(b.origin);
  return a.seq < b.seq;
}

Row merge_rows(const Row& x, const Row& y, Covered have_x, Covered have_y, const Ranks& ranks,
               std::vector<Discarded>* discarded) {
  if (is_empty(x) && is_empty(y)) return {};
  Row out;
  out.births = join(x.births, y.births);
  out.killers = join(x.killers, y.killers);
  const Dead dead(x, y, have_x, have_y);
  out.dead = dead.marks();
  const Marks dead_targets = dead.with_targets();
  Joiner joiner(dead_targets, ranks, discarded);
  WriteTable writes;
  std::vector<Version> versions, left;
  out.cells.reserve(std::max(x.cells.size(), y.cells.size()));
  auto a = x.cells.begin();
  auto b = y.cells.begin();
  while (a != x.cells.end() || b != y.cells.end()) {
    const std::uint32_t column =
        std::min(a != x.cells.end() ? a->column : ~0u, b != y.cells.end() ? b->column : ~0u);
    versions.clear();
    left.clear();
    for (; a != x.cells.end() && a->column == column; ++a)
      versions.push_back({&*a, &x.writes[a->write]});
    for (; b != y.cells.end() && b->column == column; ++b)
      versions.push_back({&*b, &y.writes[b->write]});
    joiner.column(versions, left);
    for (const auto& v : left) out.cells.push_back({column, writes.add(*v.write), v.cell->value});
  }
  writes.canonical(out.cells);
  out.writes = std::move(writes.writes);
  return out;
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
