// SPDX-License-Identifier: Apache-2.0
// Rows live by births: a delete ends those that its author had seen, and no others. Everybody holds
// everything; what the applications did, and what each had seen by then, tells who must be there.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/sim/checks/checks.hpp"

namespace mycelial::sim {
namespace {

struct Birth {
  const Transaction* by;
  Dot dot;
};

struct Life {
  std::vector<Birth> births;
  std::vector<const Transaction*> deaths;
  bool doubtful = false;

  /// An upsert may have kept the row alive under its old key while somebody else moved it to
  /// another one: two rows have that life by then, and no death tells of which of them it is.
  bool may_be_two() const {
    std::set<const Transaction*> makers, movers;
    for (const Birth& b : births) {
      (std::ranges::find(deaths, b.by) == deaths.end() ? makers : movers).insert(b.by);
    }
    return makers.size() > 1 && !movers.empty();
  }
};

bool saw(const Transaction& death, const Birth& birth) {
  const auto& copies = death.copies;
  const bool same_file = death.when.file() == birth.dot.file ||
                         std::find(copies.begin(), copies.end(), birth.dot.file) != copies.end();
  if (same_file && birth.by->number < death.number) return true;
  const auto at = death.when.seen.find(birth.dot.site);
  return at != death.when.seen.end() && at->second >= birth.dot.seq;
}

bool lives(const Life& life) {
  return std::any_of(life.births.begin(), life.births.end(), [&](const Birth& birth) {
    return std::none_of(life.deaths.begin(), life.deaths.end(),
                        [&](const Transaction* death) { return saw(*death, birth); });
  });
}

std::string told(const Life& life) {
  std::string out;
  for (const Birth& b : life.births) {
    out += fmt::format(" [made by transaction {} of {}, in set {} of {}]", b.by->number,
                       b.by->when.node, b.dot.seq, b.dot.site);
  }
  for (const Transaction* d : life.deaths) {
    out +=
        fmt::format(" [deleted by transaction {} of {}, which had seen", d->number, d->when.node);
    for (const auto& [site, seq] : d->when.seen) out += fmt::format(" {} {}", site, seq);
    out += "]";
  }
  return out;
}

/// Rows by key where the key names them, else by their life.
std::string name_of(const Table& table, const std::string& key, const std::string& life) {
  return table.automatic || table.key.empty() ? life : key;
}

std::map<std::string, Life> lives_of(const Table& table, const Ledger& ledger, const Seen& all) {
  std::map<std::string, Life> out;
  for (const Transaction& t : ledger.transactions()) {
    const auto dots = ledger.dots(t, all);
    for (const Effect& e : t.effects) {
      if (e.table != table.name) continue;
      Life& life = out[name_of(table, e.key, e.life)];
      life.doubtful |= !t.when.captured || ledger.doubtful(e.table, e.key);
      if (e.kind == Effect::Kind::death) {
        if (!dots.empty()) life.deaths.push_back(&t);
      } else if (e.kind != Effect::Kind::update) {
        for (const Dot& dot : dots) life.births.push_back({&t, dot});
        life.doubtful |= dots.empty();  // the power may have taken it, or not
      }
    }
  }
  return out;
}

}  // namespace

void check_lives(Context& c, Node& node) {
  const Seen all = node.client().moment().seen;
  for (const Table& table : tables()) {
    if (&table == &accounts() || table.merges || table.has_relatives) continue;
    int code = 0;
    std::set<std::string> there;
    for (const auto& [key, row] : node.client().reader().image(table, &code)) {
      there.insert(name_of(table, key, row[life_column(table)]));
    }
    // Behind a UNIQUE value, a row may live and not be shown.
    const bool exact = table.unique.empty() && !table.automatic;
    for (const auto& [name, life] : lives_of(table, c.ledger, all)) {
      if (life.doubtful || life.may_be_two()) continue;
      if (there.contains(name) && !lives(life)) {
        c.fail(fmt::format("resurrected: {} {} is there, though every insert of it had been seen "
                           "by somebody who deleted it",
                           table.name, name) +
               told(life));
      }
      if (exact && !there.contains(name) && lives(life)) {
        c.fail(fmt::format("dead: {} {} is not there, though nobody who deleted it had seen all "
                           "of its inserts",
                           table.name, name) +
               told(life));
      }
    }
  }
}

}  // namespace mycelial::sim
