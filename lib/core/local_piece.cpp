// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/row.hpp"

namespace mycelial::core {
namespace {

Marks with(Marks marks, const Mark& birth) {
  const auto it = std::find_if(marks.begin(), marks.end(),
                               [&](const Mark& m) { return m.origin >= birth.origin; });
  if (it != marks.end() && it->origin == birth.origin) {
    it->seq = birth.seq;
  } else {
    marks.insert(it, birth);
  }
  return marks;
}

/// All writes of a piece have the same carrier and targets.
std::uint32_t place(std::vector<Write>& writes, const Mark& carrier, const Stamp& stamp,
                    const Marks& targets) {
  const auto it =
      std::find_if(writes.begin(), writes.end(), [&](const Write& w) { return w.stamp == stamp; });
  if (it != writes.end()) return static_cast<std::uint32_t>(it - writes.begin());
  writes.push_back({carrier, stamp, targets});
  return static_cast<std::uint32_t>(writes.size() - 1);
}

}  // namespace

void local_piece(const Row& before, const LocalWrite& w, const Ranks& ranks, Row& piece) {
  piece.clear();
  const Marks seen = alive(before);
  const bool fresh = seen.empty() || w.fresh;
  const bool born = fresh || w.upsert;
  if (!seen.empty() && (fresh || !w.shown)) {
    piece.dead = seen;
    piece.killers = {w.dot};
  }
  if (!w.shown) return;
  const Mark birth = w.baseline ? Mark{0, 1} : w.dot;
  if (born) piece.births = {birth};
  Marks targets = fresh ? Marks{} : seen;
  if (born) targets = with(std::move(targets), birth);
  for (const auto& written : w.written) {
    const Cell* old = fresh ? nullptr : winner(before, written.column, ranks);
    if (written.time == 0 && !written.stamp && !old && !fresh)
      continue;  // nobody wrote it: nothing to carry
    Stamp stamp;
    if (w.baseline) {
      stamp = {0, 0, 0};
    } else if (written.stamp) {
      stamp = *written.stamp;
    } else if (written.time == 0 && old) {
      stamp = before.writes[old->write].stamp;  // carried along, not written
    } else {
      Hlc time = written.time ? written.time : w.time;
      if (old) time = std::max(time, before.writes[old->write].stamp.time + 1);
      stamp = {time, w.dot.origin, w.dot.seq};
    }
    piece.cells.push_back(
        {written.column, place(piece.writes, w.dot, stamp, targets), written.value});
  }
  std::stable_sort(piece.cells.begin(), piece.cells.end(),
                   [](const Cell& a, const Cell& b) { return a.column < b.column; });
}

Row local_piece(const Row& before, const LocalWrite& w, const Ranks& ranks) {
  Row piece;
  local_piece(before, w, ranks, piece);
  return piece;
}

}  // namespace mycelial::core
