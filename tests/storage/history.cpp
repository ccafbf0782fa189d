// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/history.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/sqlite.hpp"
#include "storage/table_info.hpp"
#include "tests/storage/fleet.hpp"
#include "tests/storage/random_sql.hpp"

namespace mycelial::test {
namespace {

/// The same schema in a file of its own, not tracked.
class Twin {
 public:
  explicit Twin(const History& h) : db_(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) {
    db_.exec(h.schema);
    for (const auto& table : storage::ordinary_tables(db_)) read_whole_rows(table);
    db_.exec(h.pragmas);
    (void)run_script(db_.handle(), h.before_track);
  }
  sqlite3* handle() { return db_.handle(); }
  std::string compare(sqlite3* tracked) {
    std::string out;
    for (const auto& table : storage::ordinary_tables(db_)) {
      const auto must = dump_table(db_.handle(), table), is = dump_table(tracked, table);
      if (must != is) out += fmt::format("{}: untracked\n{}tracked\n{}", table, must, is);
    }
    return out;
  }

 private:
  /// A trigger that reads every column makes SQLite visit rows in the order in which it visits them
  /// under capture: of UPDATE OR IGNORE and the like, SQL leaves that order open.
  void read_whole_rows(const std::string& table) {
    std::string columns;
    for (const auto& c : storage::read_table(db_, table).columns)
      columns += (columns.empty() ? "OLD." : ", OLD.") + c.name;
    for (const char* when : {"UPDATE", "DELETE"}) {
      db_.exec(fmt::format("CREATE TRIGGER twin_{0}_{1} AFTER {1} ON {0} BEGIN SELECT {2}; END",
                           table, when, columns));
    }
  }
  storage::Connection db_;
};

std::string play_alone(const History& h) {
  Fleet fleet(1, h.schema, {h.before_track, h.pragmas});
  Twin twin(h);
  for (const auto& step : h.steps) {
    fleet.world.clock.now += step.wait;
    if (step.kind == Step::Kind::sql) {
      const auto tracked = run_script(fleet[0].client(), step.text);
      const auto plain = run_script(twin.handle(), step.text);
      if (tracked != plain) return fmt::format("plain:  {}\ntracked:{}\n", plain, tracked);
    } else {
      const auto wrong = fleet.trouble() + fleet.audit(0) + fleet.trouble();
      if (!wrong.empty()) return wrong;
    }
  }
  return fleet.trouble() + fleet.audit(0) + twin.compare(fleet[0].client());
}

}  // namespace

std::string play(const History& h) {
  if (h.sites == 1) return play_alone(h);
  Fleet fleet(h.sites, h.schema, {h.before_track, h.pragmas, h.short_tail});
  for (const auto& step : h.steps) {
    fleet.world.clock.now += step.wait;
    switch (step.kind) {
      case Step::Kind::sql:
        (void)run_script(fleet[step.site].client(), step.text);
        break;
      case Step::Kind::seal:
        if (const auto wrong = fleet.audit(step.site); !wrong.empty())
          return fmt::format("after a seal on {}: {}", step.site, wrong);
        break;
      case Step::Kind::sets:
      case Step::Kind::cut:
        fleet.send(step.site, step.other, step.kind == Step::Kind::cut ? Carry::cut : Carry::sets);
        if (const auto wrong = fleet.audit(step.other); !wrong.empty())
          return fmt::format("after {} sent to {}: {}", step.site, step.other, wrong);
        break;
      case Step::Kind::some: {
        std::mt19937 random(step.seed);
        fleet.seal(step.site);
        fleet.send_some(step.site, step.other, random);
        break;
      }
      case Step::Kind::collect:
        fleet.collect(step.site);
        if (const auto wrong = fleet.audit(step.site); !wrong.empty())
          return fmt::format("after {} collected: {}", step.site, wrong);
        break;
    }
    if (!fleet.trouble().empty()) return fleet.trouble();
  }
  fleet.meet();
  return fleet.trouble();
}

History random_history(unsigned seed, const Flavour& flavour) {
  std::mt19937 random(seed);
  History h;
  h.sites = flavour.sites;
  h.short_tail = flavour.collects && random() % 2 == 0;
  RandomSql sql(random, flavour);
  h.schema = sql.schema();
  if (flavour.foreign_keys) h.pragmas += "PRAGMA foreign_keys = ON;";
  if (random() % 3 == 0) h.pragmas += "PRAGMA recursive_triggers = ON;";
  for (auto n = random() % 4; n > 0; --n) {
    auto insert = sql.insert();
    if (flavour.sites > 1 || n > 0)
      insert = "INSERT OR IGNORE" + insert.substr(insert.find(" INTO"));
    h.before_track += insert + ";";
  }
  for (std::size_t i = 0; i < flavour.steps; ++i) {
    Step s;
    s.site = random() % flavour.sites;
    s.other = random() % flavour.sites;
    s.wait = random() % 4;
    s.seed = static_cast<unsigned>(random());
    const auto what = random() % 20;
    if (flavour.collects && random() % 5 == 0) {
      s.kind = Step::Kind::collect;
      h.steps.push_back(std::move(s));
      continue;
    }
    if (what < 15 || (s.site == s.other && what < 17)) {
      s.text = sql.script();
    } else if (s.site == s.other) {
      s.kind = Step::Kind::seal;
    } else {
      s.kind = what < 17 ? Step::Kind::sets : what < 19 ? Step::Kind::some : Step::Kind::cut;
    }
    h.steps.push_back(std::move(s));
  }
  return h;
}

namespace {

/// SQLite's random() may decide, so one good run proves nothing.
std::string play_again(const History& h) {
  for (int i = 0; i < 3; ++i) {
    if (auto trouble = play(h); !trouble.empty()) return trouble;
  }
  return {};
}

}  // namespace

std::string shrink(History& h, std::string trouble) {
  const auto keep_if_bad = [&](History smaller) {
    auto again = play_again(smaller);
    if (again.empty()) return false;
    h = std::move(smaller);
    trouble = std::move(again);
    return true;
  };
  for (bool less = true; less;) {
    less = false;
    for (std::size_t size = std::max<std::size_t>(1, h.steps.size() / 2); size > 0; size /= 2) {
      for (std::size_t i = 0; i + size <= h.steps.size();) {
        History shorter = h;
        const auto from = shorter.steps.begin() + static_cast<std::ptrdiff_t>(i);
        shorter.steps.erase(from, from + static_cast<std::ptrdiff_t>(size));
        if (keep_if_bad(std::move(shorter))) {
          less = true;
        } else {
          i += size;
        }
      }
    }
    History bare = h;
    bare.before_track.clear();
    if (!h.before_track.empty()) less |= keep_if_bad(bare);
    bare = h;
    bare.pragmas.clear();
    if (!h.pragmas.empty()) less |= keep_if_bad(bare);
  }
  return trouble;
}

std::string describe(const History& h) {
  std::string out = h.schema + "pragmas: " + h.pragmas + "\nbefore track: " + h.before_track + "\n";
  for (const auto& s : h.steps) {
    const char site = static_cast<char>('a' + s.site), other = static_cast<char>('a' + s.other);
    out += fmt::format("+{} {}: ", s.wait, site);
    switch (s.kind) {
      case Step::Kind::sql:
        out += s.text;
        break;
      case Step::Kind::seal:
        out += "-- seal";
        break;
      case Step::Kind::sets:
        out += fmt::format("-- sets to {}", other);
        break;
      case Step::Kind::some:
        out += fmt::format("-- some sets to {}, seed {}", other, s.seed);
        break;
      case Step::Kind::cut:
        out += fmt::format("-- cut to {}", other);
        break;
      case Step::Kind::collect:
        out += "-- collect";
        break;
    }
    out += "\n";
  }
  return out;
}

}  // namespace mycelial::test
