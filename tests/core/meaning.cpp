// SPDX-License-Identifier: Apache-2.0
// What a bag of sealed sets means, and what it must mean to the applications: both straight from
// the history. Nothing here uses the joins.
#include <algorithm>
#include <tuple>

#include "history.hpp"

namespace mycelial::core::testing {
namespace {

struct Version {
  std::tuple<Hlc, Stream, std::uint64_t> stamp;
  std::int64_t value = 0;
  bool there = false;
};
using Meaning = std::map<RowName, std::array<Version, kColumns>>;

Meaning mean(const World& world, const std::vector<const ChangeSet*>& sets) {
  std::map<RowName, std::set<Mark>> births;
  std::map<RowName, std::vector<Mark>> kills;
  for (const auto* s : sets) {
    for (const auto& [name, piece] : s->rows) {
      births[name].insert(piece.births.begin(), piece.births.end());
      auto& k = kills[name];
      k.insert(k.end(), piece.dead.begin(), piece.dead.end());
    }
  }
  Meaning out;
  for (auto& [name, all] : births) {
    const auto& killed = kills[name];
    std::erase_if(all, [&](const Mark& birth) {
      return std::any_of(killed.begin(), killed.end(), [&](const Mark& k) {
        return k.origin == birth.origin && k.seq >= birth.seq;
      });
    });
    if (!all.empty()) out[name] = {};
  }
  for (const auto* s : sets) {
    for (const auto& [name, piece] : s->rows) {
      const auto row = out.find(name);
      if (row == out.end()) continue;
      const auto& living = births[name];
      for (const auto& cell : piece.cells) {
        const Write& w = piece.writes[cell.write];
        const bool lives = std::any_of(w.targets.begin(), w.targets.end(),
                                       [&](const Mark& t) { return living.contains(t); });
        const std::tuple stamp(w.stamp.time, world.streams[w.stamp.origin], w.stamp.seq);
        Version& best = row->second[cell.column];
        if (lives && (!best.there || best.stamp < stamp)) best = {stamp, cell.value.integer, true};
      }
    }
  }
  return out;
}

std::string name_of(const ChangeSet& s) {
  return std::to_string(s.dot().origin) + "." + std::to_string(s.dot().seq);
}

class Examiner {
 public:
  Examiner(const World& world, const std::vector<const ChangeSet*>& sets)
      : world_(world), sets_(sets), meaning_(mean(world, sets)) {}

  std::string run() const {
    for (const auto* set : sets_) {
      for (const auto& entry : set->journal) {
        if (auto bad = no_resurrection(*set, entry); !bad.empty()) return bad;
        for (const auto& [column, typed] : entry.typed) {
          if (auto bad = no_loss(*set, entry, column); !bad.empty()) return bad;
        }
      }
    }
    for (const auto& [name, columns] : meaning_) {
      for (const auto& v : columns) {
        if (!v.there) return "a row lacks a column";
      }
    }
    return {};
  }

 private:
  static bool saw(const ChangeSet& who, const ChangeSet& what) {
    return covers(who.context, what.dot());
  }

  /// A row is back only by an insert that the delete had not seen.
  std::string no_resurrection(const ChangeSet& set, const Entry& entry) const {
    const bool ends = entry.verb == Verb::remove || entry.verb == Verb::leave;
    const bool knew = set.rows.contains(entry.row);
    if (!ends || !knew || set.shown.contains(entry.row) || !meaning_.contains(entry.row)) return {};
    const auto inserts = [&](const ChangeSet& other) {
      return std::any_of(other.journal.begin(), other.journal.end(), [&](const Entry& e) {
        return e.row == entry.row && (e.verb == Verb::insert || e.verb == Verb::upsert);
      });
    };
    for (const auto* other : sets_) {
      if (other == &set || saw(set, *other) || !inserts(*other)) continue;
      // The rows found at track have one birth, whoever reports it.
      const bool excuses =
          !other->baseline || std::none_of(sets_.begin(), sets_.end(), [&](const ChangeSet* b) {
            return b->baseline && saw(set, *b) && inserts(*b);
          });
      if (excuses) return {};
    }
    return "resurrected by nobody since " + name_of(set);
  }

  /// What was written is shown, or something later is, or the row was deleted by one that may.
  std::string no_loss(const ChangeSet& set, const Entry& entry, Column column) const {
    if (!set.shown.contains(entry.row)) return {};
    const auto piece = set.rows.find(entry.row);
    if (piece == set.rows.end()) return "not sealed: a write in " + name_of(set);
    const Cell* cell = nullptr;
    for (const auto& c : piece->second.cells) {
      if (c.column == column) cell = &c;
    }
    if (!cell) return "not sealed: a write in " + name_of(set);
    std::int64_t last = 0;
    for (const auto& e : set.journal) {
      const auto typed = e.typed.find(column);
      if (e.row == entry.row && typed != e.typed.end()) last = typed->second;
    }
    if (cell->value.integer != last) return "overwritten before it was sealed in " + name_of(set);
    const auto& stamp = piece->second.writes[cell->write].stamp;
    const std::tuple mine(stamp.time, world_.streams[stamp.origin], stamp.seq);
    const auto row = meaning_.find(entry.row);
    if (row != meaning_.end() && row->second[column].there && row->second[column].stamp >= mine) {
      return {};
    }
    for (const auto* other : sets_) {
      const auto theirs = other->rows.find(entry.row);
      if (other == &set || theirs == other->rows.end() || theirs->second.dead.empty()) continue;
      const bool may =
          std::any_of(other->journal.begin(), other->journal.end(), [&](const Entry& e) {
            return e.row == entry.row && e.verb != Verb::update && e.verb != Verb::upsert;
          });
      const bool kills_births = entry.verb == Verb::update || set.baseline || saw(*other, set);
      if (may && !saw(set, *other) && kills_births) return {};
    }
    return "lost: a write in " + name_of(set);
  }

  const World& world_;
  const std::vector<const ChangeSet*>& sets_;
  Meaning meaning_;
};

}  // namespace

Table meaning(const World& world, const std::vector<const ChangeSet*>& sets) {
  Table out;
  for (const auto& [name, columns] : mean(world, sets)) {
    for (Column c = 0; c < kColumns; ++c) out[name][c] = columns[c].value;
  }
  return out;
}

std::string complaint(const World& world, const std::vector<const ChangeSet*>& sets) {
  return Examiner(world, sets).run();
}

}  // namespace mycelial::core::testing
