// SPDX-License-Identifier: Apache-2.0
#include "tests/invisible/pair.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "tests/invisible/peer.hpp"

namespace mycelial::invisible {
namespace {

constexpr std::size_t kCompareEvery = 10;

bool begins_with(const std::string& text, const char* word) {
  return text.rfind(word, 0) == 0;
}

/// The lines that only one of the two has.
std::string difference(const std::string& plain, const std::string& tracked) {
  const auto lines = [](const std::string& text) {
    std::vector<std::string> out;
    std::size_t at = 0;
    while (at < text.size()) {
      const auto end = std::min(text.find('\n', at), text.size());
      out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return out;
  };
  const auto a = lines(plain), b = lines(tracked);
  std::string out;
  const auto only = [&](const char* who, const auto& own, auto others) {
    for (const auto& line : own) {
      const auto same = std::find(others.begin(), others.end(), line);
      if (same == others.end()) out += who + line + "\n";
      if (same != others.end()) others.erase(same);
    }
  };
  only("  untracked: ", a, b);
  only("  tracked:   ", b, a);
  if (out.empty()) out = "  untracked: " + plain + "\n  tracked:   " + tracked + "\n";
  return out;
}

/// Of several triggers that stand in the way of an ALTER, SQLite names the one that it meets first.
std::string without_trigger(const std::string& outcome) {
  static const std::string kWhere = "error in trigger ";
  const auto at = outcome.find(kWhere);
  if (at == std::string::npos) return outcome;
  return outcome.substr(0, at) + outcome.substr(std::min(outcome.find(':', at), outcome.size()));
}

std::string without_last_rowid(const std::string& outcome) {
  const auto at = outcome.rfind("last rowid ");
  return outcome.substr(0, at) +
         (outcome.find("in a transaction", at) == std::string::npos ? "" : "open");
}

}  // namespace

void StepEntropy::fill(void* out, std::size_t bytes) noexcept {
  auto* at = static_cast<unsigned char*>(out);
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<unsigned char>(random());
}

Pair::Pair(const std::string& folder) {
  std::string pattern = folder + "/invisible-XXXXXX";
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("cannot write to " + folder);
  folder_ = pattern;
  plain_ = std::make_unique<Client>(folder_ + "/plain.db");
  tracked_ = std::make_unique<Client>(folder_ + "/tracked.db");
}

Pair::~Pair() {
  store_.reset();
  plain_.reset();
  tracked_.reset();
  std::filesystem::remove_all(folder_);
}

Status Pair::open_store(const std::string& path, std::unique_ptr<storage::Store>& out) {
  storage::StoreOptions options;
  options.clock = &clock_;
  options.entropy = &entropy_;
  options.synchronous_full = false;
  auto opened = storage::Store::open(path, options);
  if (opened.ok()) out = std::move(*opened);
  return opened.status();
}

std::string Pair::do_track() {
  if (!store_) {
    if (const auto s = open_store(folder_ + "/tracked.db", store_); !s.ok()) return s.to_string();
  }
  const auto tables = store_->track_all();
  if (!tables.ok()) return "track: " + tables.status().to_string();
  for (const auto& t : *tables) {
    if (!t.tracked) refused_.push_back(t.name + ": " + t.reason);
  }
  return {};
}

/// Like capture's: of all kinds, with a write and a function call, and reading all columns.
void Pair::give_triggers() {
  beside_ = true;
  (void)plain_->run("CREATE TABLE mycelial_witness(n INTEGER PRIMARY KEY, x)");
  int number = 0;
  for (const auto& table :
       plain_->texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND "
                     "name NOT LIKE 'sqlite_%' AND name NOT LIKE 'mycelial%'")) {
    std::string olds, news;
    for (const auto& c : plain_->texts("SELECT name FROM pragma_table_info('" + table[0] + "')")) {
      olds += ", OLD." + quoted(c[0]);
      news += ", NEW." + quoted(c[0]);
    }
    const auto give = [&](const char* when, const std::string& values) {
      (void)plain_->run(fmt::format(
          "CREATE TRIGGER \"mycelial {}\" {} ON {} BEGIN INSERT INTO mycelial_witness(x) "
          "VALUES(julianday()); SELECT 1{}; END",
          ++number, when, quoted(table[0]), values));
    };
    give("BEFORE INSERT", news);
    give("AFTER INSERT", news);
    give("BEFORE UPDATE", olds + news);
    give("AFTER UPDATE", olds + news);
    give("AFTER DELETE", olds);
  }
}

void Pair::take_triggers() {
  for (const auto& trigger : plain_->texts("SELECT name FROM sqlite_schema WHERE type = 'trigger' "
                                           "AND name LIKE 'mycelial%'")) {
    (void)plain_->run("DROP TRIGGER " + quoted(trigger[0]));
  }
  (void)plain_->run("DROP TABLE IF EXISTS mycelial_witness");
}

/// A table that is gone is waited for, a moment: it might be rebuilt.
std::string Pair::do_seal() {
  if (!store_) return {};
  clock_.now += 1000;
  auto sealed = store_->seal();
  if (sealed.status().code() == Errc::busy) {
    clock_.now += 5000;
    sealed = store_->seal();
  }
  return sealed.ok() ? std::string() : "seal: " + sealed.status().to_string();
}

std::string Pair::do_untrack() {
  if (!store_) return {};
  const Status status = store_->untrack_all();
  take_triggers();
  return status.ok() ? std::string() : "untrack: " + status.to_string();
}

/// Whether VACUUM would number the rows of a table anew; it leaves those of tracked tables alone.
bool Pair::renumbers() {
  return !plain_
              ->texts(
                  "SELECT name FROM pragma_table_list AS t WHERE schema = 'main' AND type = "
                  "'table' AND NOT wr AND name NOT LIKE 'sqlite%' AND NOT EXISTS (SELECT 1 "
                  "FROM pragma_index_list(t.name)) AND NOT EXISTS (SELECT 1 FROM "
                  "pragma_table_info(t.name) WHERE pk)")
              .empty();
}

std::string Pair::step(const std::string& statement) {
  if (begins_with(statement, "-- ")) {
    if (in_transaction()) return {};
    if (statement == kTrackBeside) give_triggers();
    if (statement == kTrack || statement == kTrackBeside) return do_track();
    return statement == kUntrack ? do_untrack() : do_seal();
  }
  if (statement == "VACUUM" && renumbers()) return {};
  const auto plain = plain_->run(statement), tracked = tracked_->run(statement);
  if (store_) {
    broke_off_ |= begins_with(statement, "DROP TABLE");
    changed_schema_ |= begins_with(statement, "ALTER");
  }
  if (without_trigger(plain) == without_trigger(tracked)) return {};
  // docs/invisible.md: last_insert_rowid() after these.
  const bool vacuum = statement == "VACUUM";
  const bool foreign_key = !beside_ && plain.find("code 787,") != std::string::npos;
  if ((vacuum || foreign_key) && without_last_rowid(plain) == without_last_rowid(tracked)) {
    plain_->forget_last_rowid();
    tracked_->forget_last_rowid();
    return {};
  }
  return difference(plain, tracked);
}

std::string Pair::compare_rows() {
  const auto plain = plain_->dump(), tracked = tracked_->dump();
  return plain == tracked ? std::string() : difference(plain, tracked);
}

std::string Pair::sync() {
  if (!store_ || broke_off_ || in_transaction()) return {};
  if (auto wrong = do_seal(); !wrong.empty()) return wrong;
  const auto path = folder_ + "/peer.db";
  std::filesystem::remove(path);
  Client peer(path);
  copy_schema(*plain_, peer);
  std::unique_ptr<storage::Store> store;
  if (const auto s = open_store(path, store); !s.ok()) return "peer: " + s.to_string();
  if (const auto t = store->track_all(); !t.ok()) return "peer: " + t.status().to_string();
  const Status carried = carry(*store_, *store, changed_schema_);
  if (!carried.ok()) return "carry: " + carried.to_string();
  const auto wrong = compare_tables(*tracked_, *store_, peer, *store);
  return wrong.empty() ? wrong : "after syncing:\n" + wrong;
}

std::string play(const Script& script, const std::string& folder, bool every_row, bool with_peer,
                 std::size_t& failed_at) {
  Pair pair(folder);
  for (std::size_t i = 0; i < script.size(); ++i) {
    failed_at = i;
    if (auto wrong = pair.step(script[i]); !wrong.empty()) return wrong;
    if (!every_row && i % kCompareEvery != 0) continue;
    if (auto wrong = pair.compare_rows(); !wrong.empty()) return wrong;
  }
  failed_at = script.size();
  if (auto wrong = pair.compare_rows(); !wrong.empty()) return wrong;
  return with_peer ? pair.sync() : std::string();
}

}  // namespace mycelial::invisible
