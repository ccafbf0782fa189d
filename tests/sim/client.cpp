// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/client.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "storage/store.hpp"
#include "tests/sim/statements.hpp"

namespace mycelial::sim {

Client::Client(Context& context, std::string name, int number, const std::string& path,
               Clock& clock, Drive& drive)
    : owner(number), c_(context), name_(std::move(name)), path_(path) {
  program_.clock = observer_.clock = &clock;
  program_.drive = &drive;
  open();
}
Client::~Client() = default;

void Client::act() {
  if (open_) return step();
  begin();
  if (!open_) return;
  const bool stays = c_.random.chance(0.2) && db_->in_transaction();
  while (open_ && !stays) step();
}

/// A statement of its own, or BEGIN.
void Client::begin() {
  plan_.clear();
  before_.clear();
  moved_ = false;
  const bool transfer = c_.random.chance(0.2);
  plan_.push_back(transfer ? &accounts() : &tables()[c_.random.below(tables().size() - 1)]);
  if (c_.random.chance(0.2)) plan_.push_back(&tables()[c_.random.below(tables().size() - 1)]);
  if (plan_.size() == 2 && plan_[0] == plan_[1]) plan_.pop_back();
  own_ = plan_.size();
  for (std::size_t i = 0; i < own_; ++i) {
    if (plan_[i]->trail.empty()) continue;
    const Table& trail = table_named(plan_[i]->trail);
    if (std::ranges::find(plan_, &trail) == plan_.end()) plan_.push_back(&trail);
  }
  if (std::ranges::any_of(plan_, [&](const Table* t) { return rebuilt_.contains(t); })) return;
  const Table& table = *plan_[0];
  if (!table.late.empty() && c_.random.chance(0.1)) add_column(table);
  if (!table.late.empty() && c_.random.chance(0.04)) drop_column(table);
  alone_ = !transfer && c_.random.chance(0.6);
  if (!alone_) run(c_.random.chance(0.5) ? "BEGIN IMMEDIATE" : "BEGIN");
  if (!alone_ && !db_->in_transaction()) return;
  open_ = true;
  left_ = alone_ ? 1 : static_cast<int>(c_.random.between(1, 4));
  if (!look(*db_, before_)) end(false);
}

bool Client::look(Connection& db, Images& into) {
  for (const Table* table : plan_) {
    int code = SQLITE_OK;
    into[table->name] = db.image(*table, &code);
    if (code != SQLITE_OK) return false;
  }
  return true;
}

void Client::step() {
  if (next_.empty()) {
    if (left_-- == 0) return end(c_.random.chance(0.85));
    const Table& table = *plan_[c_.random.below(own_)];
    int code = SQLITE_OK;
    const Image now = db_->image(table, &code);
    if (code != SQLITE_OK) return end(false);
    next_ = &table == &accounts() ? account_statements(owner, now, c_.random, c_.ledger)
                                  : statements(table, now);
    if (next_.empty()) return end(false);
    if (!db_->in_transaction() && next_.size() > 1) next_.resize(1);
    if (db_->in_transaction() && &table != &accounts() && c_.random.chance(0.1)) {
      next_.insert(next_.begin(), "SAVEPOINT s");
      if (c_.random.chance(0.5)) next_.emplace_back("ROLLBACK TO s");
      next_.emplace_back("RELEASE s");
    }
  }
  const std::string sql = std::move(next_.front());
  next_.erase(next_.begin());
  for (const char* key : {" SET id =", " SET name =", " SET x ="})
    moved_ |= sql.find(key) != sql.npos;
  const int code = [&] {
    run(sql);
    return sqlite3_extended_errcode(db_->handle());
  }();
  const bool ignored = sql.starts_with("INSERT OR IGNORE") && sqlite3_changes(db_->handle()) == 0;
  // Of a statement that FAILs, what its triggers did stays.
  if (ignored || (sql.starts_with("INSERT OR FAIL") && code != SQLITE_OK)) {
    for (const Table* table : plan_) doubt(*table, sql);
  }
  // After some errors SQLite rolls everything back by itself.
  if (!alone_ && !db_->in_transaction()) return end(false);
  // A transfer is both halves or nothing.
  if (code != SQLITE_OK && plan_[0] == &accounts()) return end(false);
  if ((code & 0xff) == SQLITE_BUSY && c_.random.chance(0.5)) return end(false);
  if (!db_->in_transaction()) end(true);
}

std::vector<std::string> Client::statements(const Table& table, const Image& now) {
  Table known = table;
  const bool by_view = !table.view.empty() && c_.random.chance(0.4);
  for (const auto& late : table.late) {
    const auto name = column_in(late);
    int code = SQLITE_OK;
    if (by_view || !db_->has_column(table, name, &code)) std::erase(known.values, name);
    if (code != SQLITE_OK) return {};
  }
  return random_statements(known, now, by_view, c_.random, c_.ledger);
}

/// An insert that was ignored, or failed, and an update of its row look like an upsert.
void Client::doubt(const Table& table, const std::string& sql) {
  int code = SQLITE_OK;
  for (const auto& [key, row] : db_->image(table, &code)) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool names =
          table.columns[i] == table.unique ||
          std::find(table.key.begin(), table.key.end(), table.columns[i]) != table.key.end();
      if (names && sql.find(" " + row[i] + ",") != sql.npos) c_.ledger.doubt(table.name, key);
    }
  }
}

void Client::end(bool commit) {
  next_.clear();
  const bool transaction = db_->in_transaction();
  Images after;
  bool acknowledged = commit && transaction != alone_ && look(alone_ ? *reader_ : *db_, after);
  if (transaction) {
    acknowledged = acknowledged && run("COMMIT") == SQLITE_OK;
    if (db_->in_transaction()) run("ROLLBACK");
  }
  open_ = false;
  if (!acknowledged) return;
  const Transaction& t = c_.ledger.committed(moment(), before_, after, moved_);
  if (!t.effects.empty())
    c_.note(name_, fmt::format("transaction {}, journal {}", t.number, t.when.journal));
  if (full_ && !t.effects.empty()) c_.ledger.synced(t.when.file());
  bury(t);
  if (on_commit) on_commit();
}

void Client::finish() {
  if (open_) end(next_.empty() && c_.random.chance(0.5));
}

void Client::close() {
  c_.note(name_, "the application is killed");
  program_.dead = observer_.dead = true;
  db_ = nullptr;
  {
    const Running as(&observer_);
    store_ = nullptr;
  }
  reader_ = nullptr;
  open_ = false;
  next_.clear();
}

void Client::open() {
  program_.dead = observer_.dead = false;
  reader_ = std::make_unique<Connection>(path_, &observer_);
  Drive* const drive = std::exchange(program_.drive, nullptr);  // it could not even begin
  db_ = std::make_unique<Connection>(path_, &program_);
  program_.drive = drive;
  // In rollback-journal mode NORMAL does not even promise that the file stays sound, and FULL not
  // that a commit does.
  int code = 0;
  const auto mode = reader_->rows("PRAGMA journal_mode", &code);
  if (mode.empty()) return c_.fail(name_ + ": the file cannot be read: " + reader_->error());
  if (c_.foreign_keys) run("PRAGMA foreign_keys = ON");
  full_ = mode[0][0] != "'wal'" || c_.random.chance(0.5);
  run(full_ ? "PRAGMA synchronous = EXTRA" : "PRAGMA synchronous = NORMAL");
  if (c_.random.chance(0.3)) run("PRAGMA recursive_triggers = ON");
}

int Client::run(const std::string& sql) {
  const int code = db_->run(sql);
  c_.note(name_, fmt::format("{} -> {}", sql, code));
  return code;
}

/// As another process: mycelial's command.
storage::Store* Client::store() {
  if (store_) return store_.get();
  storage::StoreOptions options;
  options.clock = observer_.clock;
  options.entropy = &c_.world;
  options.exclusive = false;
  options.busy_timeout_ms = 0;
  auto opened = storage::Store::open(path_, options);
  if (opened.ok()) {
    store_ = std::move(*opened);
  } else {
    c_.fail("the command: " + opened.status().to_string());
  }
  return store_.get();
}

/// Deleting a row that others are hidden behind ends them too: they were listed.
void Client::bury(const Transaction& t) {
  int code = SQLITE_OK;
  const auto hidden = reader_->rows("SELECT 1 FROM mycelial_row WHERE status = 2 LIMIT 1", &code);
  if (hidden.empty() || t.effects.empty()) return;
  const Running as(&observer_);
  if (!store()) return;
  const auto conflicts = store()->conflicts();
  if (!conflicts.ok()) return c_.fail("conflicts: " + conflicts.status().to_string());
  for (const Conflict& conflict : *conflicts) {
    if (conflict.kind != "hidden") continue;
    for (const Effect& e : t.effects) {
      const bool hider = e.key == conflict.winner || conflict.winner.starts_with("row ");
      if (e.kind != Effect::Kind::death || e.table != conflict.table || !hider) continue;
      c_.ledger.buried(t, e.table, literals_in(conflict.value));
    }
  }
}

Moment Client::moment() {
  Moment out{name_, epoch, "", "", {}, false, 0};
  int code = SQLITE_OK;
  const auto& rows =
      reader_->rows("SELECT hex(site), seq FROM mycelial_stream WHERE id > 0", &code);
  for (const Row& row : rows) out.seen[row[0]] = std::stoull(row[1]);
  const auto names = reader_->rows(
      "SELECT hex(value) FROM mycelial_meta WHERE key IN ('site', 'nonce') ORDER BY key", &code);
  if (!names.empty()) out.site = names.back()[0];
  if (names.size() == 2) out.nonce = names.front()[0];
  // Tables are tracked all at once.
  out.captured = !reader_
                      ->rows(
                          "SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name LIKE "
                          "'mycelial%' LIMIT 1",
                          &code)
                      .empty();
  const auto journal = reader_->rows("SELECT coalesce(max(jn), 0) FROM mycelial_journal", &code);
  if (!journal.empty()) out.journal = std::stoull(journal[0][0]);
  return out;
}

void Client::read_sums() {
  int code = SQLITE_OK;
  for (const Row& row :
       reader_->rows("SELECT owner, count(*), sum(balance) FROM account GROUP BY owner", &code)) {
    if (row[1] == std::to_string(kSlots) && row[2] == std::to_string(kSlots * kBalance)) continue;
    c_.fail(fmt::format("torn transaction: {} shows {} accounts of owner {} with {} in all", name_,
                        row[1], row[0], row[2]));
  }
}

void Client::housekeeping() {
  if (open_) return;
  static const std::vector<std::string> kChores = {"PRAGMA wal_checkpoint(PASSIVE)",
                                                   "PRAGMA wal_checkpoint(RESTART)",
                                                   "PRAGMA wal_checkpoint(TRUNCATE)",
                                                   "VACUUM",
                                                   "ANALYZE",
                                                   "REINDEX"};
  if (c_.random.chance(0.6)) {
    run(c_.random.pick(kChores));
    return;
  }
  const Table& table = c_.random.pick(tables());
  const std::string index = table.name + "_by_life";
  if (&table == &accounts()) return;
  run(c_.random.chance(0.5) ? "CREATE INDEX " + index + " ON " + table.name + "(life)"
                            : "DROP INDEX " + index);
}

void Client::add_column(const Table& table) {
  run("ALTER TABLE " + table.name + " ADD COLUMN " + c_.random.pick(table.late));
}

/// By mycelial alter, for SQLite refuses it to the application.
void Client::drop_column(const Table& table) {
  const auto name = column_in(c_.random.pick(table.late));
  int code = SQLITE_OK;
  if (!db_->has_column(table, name, &code) || code != SQLITE_OK) return;
  const Running as(&observer_);
  if (!store()) return;
  const Status status = store()->alter("ALTER TABLE " + table.name + " DROP COLUMN " + name);
  c_.note(name_, fmt::format("alter: drops {}.{} -> {}", table.name, name, status.to_string()));
  const bool refused = status.code() == Errc::busy || status.code() == Errc::not_found;
  if (!status.ok() && !refused) c_.fail("alter: " + status.to_string());
}

void Client::rebuild() {
  const Table& table = c_.random.pick(tables());
  if (open_ || table.key.empty() || table.has_relatives) return;
  int code = SQLITE_OK;
  std::string create, columns;
  std::vector<std::string> others;
  for (const auto& row :
       reader_->texts("SELECT type, sql FROM sqlite_schema WHERE tbl_name = '" + table.name +
                          "' AND sql NOT NULL AND name NOT LIKE 'mycelial%' ORDER BY rowid",
                      &code)) {
    if (row[0] == "table") create = row[1].substr(row[1].find('('));
    if (row[0] != "table") others.push_back(row[1]);
  }
  for (const auto& row :
       reader_->texts("SELECT name FROM pragma_table_info('" + table.name + "')", &code)) {
    columns += (columns.empty() ? "" : ", ") + row[0];
  }
  if (code != SQLITE_OK || create.empty()) return;
  std::vector<std::string> steps = {
      "BEGIN IMMEDIATE", "CREATE TABLE rebuilt" + create,
      "INSERT INTO rebuilt(" + columns + ") SELECT " + columns + " FROM " + table.name,
      "DROP TABLE " + table.name, "ALTER TABLE rebuilt RENAME TO " + table.name};
  steps.insert(steps.end(), others.begin(), others.end());
  steps.emplace_back("COMMIT");
  run("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON");
  for (const auto& sql : steps) {
    if (run(sql) != SQLITE_OK) break;
  }
  if (db_->in_transaction()) {
    run("ROLLBACK");
  } else {
    rebuilt_.insert(&table);
  }
  run("PRAGMA legacy_alter_table = OFF");
  if (c_.foreign_keys) run("PRAGMA foreign_keys = ON");
}

bool Client::complete() {
  bool whole = true;
  for (const Table& table : tables()) {
    for (const auto& late : table.late) {
      int code = SQLITE_OK;
      if (db_->has_column(table, column_in(late), &code)) continue;
      whole &= run("ALTER TABLE " + table.name + " ADD COLUMN " + late) == SQLITE_OK;
    }
  }
  return whole;
}

}  // namespace mycelial::sim
