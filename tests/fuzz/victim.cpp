// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/victim.hpp"

#include <unistd.h>

#include <filesystem>

#include "tests/fuzz/target.hpp"

namespace mycelial::fuzz {

const char* const kTables = R"sql(
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT UNIQUE, amount REAL CHECK(amount >= 0));
CREATE TABLE log(at INTEGER, line TEXT);
CREATE TABLE pair(a TEXT COLLATE NOCASE, b ANY, note TEXT NOT NULL DEFAULT 'n', UNIQUE(note),
                  PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE strict_one(k INTEGER PRIMARY KEY, n INTEGER, t TEXT) STRICT;
)sql";

const char* const kRows = R"sql(
INSERT INTO item VALUES(1, 'one', 1.5), (2, 'two', 2), (3, NULL, NULL);
INSERT INTO item(name) VALUES('automatic'), ('also');
INSERT INTO log VALUES(1, 'same'), (1, 'same'), (2, x'00ff');
INSERT INTO pair VALUES('k', 1, 'p'), ('K2', 2.5, 'q');
INSERT INTO strict_one VALUES(7, 8, 't');
UPDATE item SET name = 'three', amount = 3 WHERE id = 3;
DELETE FROM item WHERE id = 2;
REPLACE INTO item VALUES(1, 'also', 9);
UPDATE pair SET a = 'moved' WHERE a = 'k';
DELETE FROM log WHERE at = 2;
)sql";

void World::fill(void* out, std::size_t bytes) noexcept {
  auto* at = static_cast<unsigned char*>(out);
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<unsigned char>(random_());
}

std::string fresh_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "mycelial-XXXXXX").string();
  expect(::mkdtemp(pattern.data()) != nullptr, "a temporary folder", pattern);
  return pattern;
}

std::unique_ptr<storage::Store> open_store(const std::string& path, World& world) {
  storage::StoreOptions options;
  options.clock = &world;
  options.entropy = &world;
  options.synchronous_full = false;
  auto opened = storage::Store::open(path, options);
  expect(opened.ok(), "a store", opened.status().to_string());
  return std::move(*opened);
}

Victim::Victim(World& world) : folder_(fresh_folder()) {
  const std::string path = folder_ + "/victim.db";
  expect(sqlite3_open(path.c_str(), &client_) == SQLITE_OK, "a database", path);
  sql("PRAGMA synchronous = OFF");
  sql(kTables);
  store_ = open_store(path, world);
  const auto tracked = store_->track_all();
  expect(tracked.ok(), "tracked tables", tracked.status().to_string());
}

Victim::~Victim() {
  store_.reset();
  sqlite3_close(client_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Victim::sql(const std::string& text) {
  const int rc = sqlite3_exec(client_, text.c_str(), nullptr, nullptr, nullptr);
  expect(rc == SQLITE_OK, "SQL to run", sqlite3_errmsg(client_));
}

std::string Victim::dump() {
  std::string out;
  const auto add = [](void* to, int columns, char** values, char**) {
    for (int i = 0; i < columns; ++i) {
      *static_cast<std::string*>(to) += values[i] ? values[i] : "NULL";
      *static_cast<std::string*>(to) += i + 1 < columns ? '|' : '\n';
    }
    return 0;
  };
  for (const char* query :
       {"SELECT id, quote(name), quote(amount) FROM item ORDER BY id",
        "SELECT rowid, quote(at), quote(line) FROM log ORDER BY rowid",
        "SELECT quote(a), quote(b), quote(note) FROM pair ORDER BY a, b",
        "SELECT quote(k), quote(n), quote(t) FROM strict_one ORDER BY k", "PRAGMA quick_check"}) {
    const int rc = sqlite3_exec(client_, query, add, &out, nullptr);
    expect(rc == SQLITE_OK, "a sound database", sqlite3_errmsg(client_));
  }
  return out;
}

}  // namespace mycelial::fuzz
