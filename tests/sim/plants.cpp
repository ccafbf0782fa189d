// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/plants.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>

#include "tests/sim/sql.hpp"

namespace mycelial::sim {
namespace {

using When = Plant::When;

constexpr char kOwn[] =
    "(SELECT s.id FROM mycelial_stream s, mycelial_meta m WHERE m.key = 'site' AND s.site = "
    "m.value)";

std::vector<Plant> make() {
  const std::string own = kOwn;
  return {
      {"ignored-entry", "a journal entry is not sealed", When::committed,
       "UPDATE mycelial_journal SET what = 0 WHERE jn = (SELECT min(jn) FROM mycelial_journal "
       "WHERE what > "
       "0)"},
      {"lost-mask", "an update forgets all columns but one", When::committed,
       "UPDATE mycelial_journal SET mask = mask & -mask WHERE what & 7 = 2"},
      {"other-row", "an update is taken for one of the next row", When::committed,
       "UPDATE mycelial_journal SET row = row + 1 WHERE what & 7 = 2"},
      {"deaf-to-deletes", "deletes are not sealed", When::committed,
       "UPDATE mycelial_journal SET what = 0 WHERE what & 7 = 3"},
      {"forgotten-tombstone", "the dead are forgotten while peers may still bring them",
       When::worked, "DELETE FROM mycelial_row WHERE status = 1"},
      {"dropped-loser", "what loses a UNIQUE value is dropped", When::worked,
       "DELETE FROM mycelial_row WHERE status = 2; DELETE FROM mycelial_claim"},
      {"unlisted-loss", "what was overruled is not listed", When::worked,
       "DELETE FROM mycelial_conflict"},
      {"half-applied", "of a transfer one half is shown", When::worked,
       "UPDATE account SET balance = balance + 1 WHERE rowid = (SELECT max(rowid) FROM account)"},
      {"no-tie-break", "a node keeps a value that lost", When::worked,
       "UPDATE note SET a = (SELECT b FROM note WHERE b IS NOT NULL ORDER BY name LIMIT 1) WHERE "
       "name = (SELECT max(name) FROM note)"},
      {"reused-number", "a number is given to two sets", When::worked,
       "UPDATE mycelial_stream SET hash = (SELECT hash FROM mycelial_set t WHERE t.stream = "
       "mycelial_stream.id AND t.last = mycelial_stream.seq - 1), seq = seq - 1 WHERE id = " +
           own +
           " AND EXISTS(SELECT 1 FROM mycelial_set t WHERE t.stream = mycelial_stream.id AND "
           "t.last = mycelial_stream.seq - 1); DELETE FROM mycelial_set WHERE stream = " +
           own + " AND last > (SELECT seq FROM mycelial_stream WHERE id = stream)"},
      {"early-thanks", "a set is said to be held that has not come", When::worked,
       "UPDATE mycelial_stream SET seq = seq + 1, hash = randomblob(16) WHERE id > 0 AND seq > 0 "
       "AND id <> " +
           own},
      {"lost-births", "the bookkeeping of rows is lost", When::worked,
       "DELETE FROM mycelial_segment"},
      {"trusted-copy", "a file that was put back is taken for the one that went on", When::opening,
       ""},
      {"skipped-sync", "the engine does not sync", When::always, ""},
  };
}

}  // namespace

const std::vector<Plant>& plants() {
  static const std::vector<Plant> all = make();
  return all;
}

const Plant* plant_named(const std::string& name) {
  const auto& all = plants();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Plant& p) { return p.name == name; });
  return found == all.end() ? nullptr : &*found;
}

void do_harm(const Plant& plant, const std::string& file) {
  if (plant.sql.empty()) return swear(file);
  Connection db(file, nullptr);
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  if (db.run("BEGIN IMMEDIATE") != SQLITE_OK) return;
  db.run(db.run(plant.sql) == SQLITE_OK ? "COMMIT" : "ROLLBACK");
}

void swear(const std::string& file) {
  std::string holder, place;
  {
    std::ifstream in(file + "-mycelial");
    if (!std::getline(in, holder) || !std::getline(in, place)) return;
  }
  Connection db(file, nullptr);
  int code = SQLITE_OK;
  const auto nonce =
      db.rows("SELECT lower(hex(value)) FROM mycelial_meta WHERE key = 'nonce'", &code);
  if (nonce.empty()) return;
  const std::string& quoted = nonce[0][0];
  std::ofstream(file + "-mycelial") << holder << '\n'
                                    << place << '\n'
                                    << quoted.substr(1, quoted.size() - 2) << '\n';
}

}  // namespace mycelial::sim
