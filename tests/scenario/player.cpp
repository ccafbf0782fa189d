// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/player.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "tests/scenario/compare.hpp"
#include "tests/scenario/dump.hpp"
#include "tests/sim/disk.hpp"

namespace mycelial::scenario {
namespace {

/// 90s, 2h, 3d; a sign may stand before it.
std::optional<std::int64_t> milliseconds(const std::string& text) {
  static const std::map<std::string, std::int64_t> kUnits = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  char* end = nullptr;
  const long long count = std::strtoll(text.c_str(), &end, 10);
  const auto unit = kUnits.find(end);
  if (end == text.c_str() || unit == kUnits.end()) return std::nullopt;
  return count * unit->second;
}

bool has_order(const std::string& sql) {
  std::string upper = sql;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper.find("ORDER BY") != std::string::npos;
}

std::string words_from(const Statement& s, std::size_t first) {
  std::string out;
  for (std::size_t i = first; i < s.words.size(); ++i) out += (out.empty() ? "" : " ") + s.words[i];
  return out;
}

}  // namespace

void play(const Script& script) {
  Player player;
  int last = 1;
  for (const Statement& s : script.statements) {
    last = s.line;
    try {
      player.play(s);
    } catch (const Failure&) {
      throw;
    } catch (const std::exception& e) {
      throw Failure(s.line, e.what());
    }
  }
  player.finish(last);
}

void Player::play(const Statement& s) {
  line_ = s.line;
  switch (s.kind) {
    case Statement::Kind::sql:
    case Statement::Kind::refused:
      return run_sql(s);
    case Statement::Kind::listing:
      return list(s);
    case Statement::Kind::command:
      return run_command(s);
  }
}

Site& Player::site(const std::string& name) {
  Site* const found = stage_.find(name);
  if (found == nullptr) throw Failure(line_, "there is no site " + name);
  return *found;
}

std::vector<Site*> Player::sites_named(const std::vector<std::string>& names) {
  std::vector<Site*> out;
  for (const auto& name : names) {
    if (name != "all") {
      out.push_back(&site(name));
      continue;
    }
    for (const auto& one : stage_.sites()) out.push_back(one.get());
  }
  if (out.empty()) throw Failure(line_, "there are no sites yet");
  return out;
}

/// {name} is the path of a file, in quotes.
std::string Player::with_paths(const std::string& sql) const {
  std::string out;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    const auto end = sql[i] == '{' ? sql.find('}', i) : std::string::npos;
    const std::string name = end == std::string::npos ? "" : sql.substr(i + 1, end - i - 1);
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c));
    });
    if (!is_name) {
      out += sql[i];
      continue;
    }
    out += "'" + stage_.file_of(name) + "'";
    i = end;
  }
  return out;
}

void Player::run_sql(const Statement& s) {
  const std::string sql = with_paths(s.text);
  for (Site* one : sites_named(s.sites)) {
    stage_.tick();
    losses_.before(*one);
    Answer answer = one->run(sql, s.connection);
    losses_.after(*one, s.line, not_checked());
    const std::string who = one->name() + ": ";
    if (s.kind == Statement::Kind::refused) {
      if (answer.error.empty()) throw Failure(s.line, who + "this is not refused");
      const bool as_said = s.expected.empty() || matches(s.expected[0], answer.error);
      if (!as_said) throw Failure(s.line, who + "refused with: " + answer.error);
      continue;
    }
    if (!answer.error.empty()) throw Failure(s.line, who + answer.error);
    if (answer.has_rows && !s.expects) {
      throw Failure(s.line, who + "this gives rows; say which\n" + listing(answer.rows));
    }
    const std::string wrong = compare_rows(s.expected, answer.rows, has_order(s.text));
    if (!wrong.empty()) throw Failure(s.line, who + wrong);
  }
}

void Player::expect_lines(const Statement& s, const Site& one,
                          const std::vector<std::string>& lines) const {
  const std::string wrong = compare_lines(s.expected, lines);
  if (!wrong.empty()) throw Failure(s.line, one.name() + ": " + wrong);
}

/// What a command of mycelial's ends with.
void Player::expect_outcome(const Statement& s, const Site& one, const Status& status) const {
  std::vector<std::string> refused;
  if (!status.ok()) refused.push_back("refused: " + std::string(status.message()));
  expect_lines(s, one, refused);
}

void Player::list(const Statement& s) {
  for (Site* one : sites_named(s.sites)) {
    if (!one->up()) throw Failure(s.line, one->name() + " is down");
    std::vector<std::string> lines;
    if (s.verb == "conflicts") {
      const auto conflicts = one->on_engine([](engine::Engine& e) { return e.conflicts(); });
      if (!conflicts.ok()) throw Failure(s.line, conflicts.status().to_string());
      for (const Conflict& c : *conflicts) lines.push_back(describe(c));
    } else {
      const auto status = one->on_engine([](engine::Engine& e) { return e.status(); });
      if (!status.ok()) throw Failure(s.line, status.status().to_string());
      lines = status->notes;
      if (!status->last_error.empty()) lines.push_back("error: " + status->last_error);
    }
    expect_lines(s, *one, lines);
  }
}

void Player::run_command(const Statement& s) {
  using Each = void (*)(Site&);
  static const std::map<std::string, Each> kEach = {
      {"stop", [](Site& one) { one.stop(); }},
      {"crash", [](Site& one) { one.crash(); }},
      {"power", [](Site& one) { one.lose_power(); }},
      {"reconnect", [](Site& one) { one.reconnect(); }},
  };
  static const std::map<std::string, void (Player::*)(const Statement&)> kOther = {
      {"sites", &Player::sites},     {"links", &Player::links},     {"schema", &Player::schema},
      {"track", &Player::track},     {"untrack", &Player::untrack}, {"policy", &Player::policy},
      {"cut", &Player::cut},         {"clock", &Player::clock},     {"deliver", &Player::deliver},
      {"settle", &Player::settle},   {"copy", &Player::copy},       {"backup", &Player::backup},
      {"restore", &Player::restore}, {"dump", &Player::dump},       {"reload", &Player::reload},
      {"alter", &Player::alter},     {"resolve", &Player::resolve},
  };
  if (const auto each = kEach.find(s.verb); each != kEach.end()) {
    for (Site* one : sites_named(s.words)) each->second(*one);
  } else if (const auto other = kOther.find(s.verb); other != kOther.end()) {
    (this->*other->second)(s);
  } else if (s.verb == "start") {
    for (Site* one : sites_named(s.words)) start(*one);
  } else if (s.verb == "open") {
    add(s.words[0]);
  } else if (s.verb == "seal") {
    for (Site* one : sites_named(s.words)) {
      const Status sealed = one->on_engine([](engine::Engine& e) { return e.seal(); });
      if (!sealed.ok()) throw Failure(s.line, sealed.to_string());
    }
  } else if (s.verb == "differ") {
    may_differ_.insert(s.words.begin(), s.words.end());
  } else if (s.verb == "agree") {
    for (const auto& table : s.words) may_differ_.erase(table);
  } else if (s.verb == "heal") {
    stage_.heal();
  } else if (s.verb == "duplicate") {
    stage_.duplicate();
    verify();
  } else if (s.verb == "wait") {
    const auto ms = milliseconds(s.words[0]);
    if (!ms || *ms < 0) throw Failure(s.line, "wait needs a time, such as 5s");
    stage_.wait(static_cast<std::uint64_t>(*ms));
  }
}

void Player::start(Site& one) {
  const Status started = one.start();
  if (!started.ok()) {
    throw Failure(line_, one.name() + " does not start: " + started.to_string());
  }
}

void Player::add(const std::string& name) {
  if (stage_.find(name) != nullptr) throw Failure(line_, "there is a site " + name + " already");
  start(stage_.add(name));
}

void Player::sites(const Statement& s) {
  for (const auto& name : s.words) {
    add(name);
    if (schema_.empty()) continue;
    expect_lines(s, site(name), set_up(site(name), schema_));
  }
}

/// links a-b b-c
void Player::links(const Statement& s) {
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& word : s.words) {
    const auto dash = word.find('-');
    if (dash == std::string::npos) throw Failure(s.line, "a link is written a-b");
    pairs.insert({site(word.substr(0, dash)).name(), site(word.substr(dash + 1)).name()});
  }
  stage_.link_only(std::move(pairs));
}

/// Runs the SQL and tracks everything; gives the tables that are refused.
std::vector<std::string> Player::set_up(Site& one, const std::string& sql) {
  stage_.tick();
  losses_.before(one);
  const Answer answer = one.run(with_paths(sql), "");
  losses_.after(one, line_, not_checked());
  if (!answer.error.empty()) throw Failure(line_, one.name() + ": " + answer.error);
  const auto tables = one.track_all();
  if (!tables.ok()) throw Failure(line_, one.name() + ": " + tables.status().to_string());
  std::vector<std::string> out;
  for (const auto& t : *tables) {
    const bool shadow = t.reason.ends_with("belongs to a virtual table");
    if (!t.tracked && !shadow) out.push_back("refused: " + t.reason);
  }
  return out;
}

void Player::schema(const Statement& s) {
  if (s.words.empty()) schema_ = s.text;
  const std::vector<std::string> everybody{"all"};
  for (Site* one : sites_named(s.words.empty() ? everybody : s.words)) {
    expect_lines(s, *one, set_up(*one, s.text));
  }
}

/// track SITE [TABLE...]
void Player::track(const Statement& s) {
  for (Site* one : sites_named({s.words[0]})) {
    std::vector<std::string> refused;
    if (s.words.size() == 1) refused = set_up(*one, "");
    for (std::size_t i = 1; i < s.words.size(); ++i) {
      const Status status = one->track(s.words[i]);
      if (!status.ok()) refused.push_back("refused: " + std::string(status.message()));
    }
    expect_lines(s, *one, refused);
  }
}

/// untrack SITE [TABLE...]
void Player::untrack(const Statement& s) {
  for (Site* one : sites_named({s.words[0]})) {
    Status status = s.words.size() == 1 ? one->untrack_all() : Status();
    for (std::size_t i = 1; i < s.words.size() && status.ok(); ++i) {
      status = one->untrack(s.words[i]);
    }
    expect_outcome(s, *one, status);
    losses_.forget(*one);
  }
}

/// policy SITE TABLE[.COLUMN] NAME
void Player::policy(const Statement& s) {
  const auto dot = s.words[1].find('.');
  const auto table = s.words[1].substr(0, dot);
  const auto column = dot == std::string::npos ? "" : s.words[1].substr(dot + 1);
  Site& one = site(s.words[0]);
  const Status status = one.set_policy(table, column, s.words[2]);
  expect_outcome(s, one, status);
  by_policy_.insert(table);
}

/// alter SITE SQL
void Player::alter(const Statement& s) {
  const std::string sql = words_from(s, 1);
  for (Site* one : sites_named({s.words[0]})) {
    stage_.tick();
    const Status status = one->alter(sql);
    expect_outcome(s, *one, status);
  }
}

/// resolve SITE HOW START-OF-LISTED-LINE
void Player::resolve(const Statement& s) {
  using Kind = Resolution::Kind;
  Resolution how{s.words[1] == "restore" ? Kind::restore : Kind::dismiss, {}, {}};
  if (const auto sign = s.words[1].find('='); sign != std::string::npos) {
    how = {Kind::change, s.words[1].substr(0, sign), s.words[1].substr(sign + 1)};
  }
  const std::string line = words_from(s, 2);
  Site& one = site(s.words[0]);
  const auto conflicts = one.on_engine([](engine::Engine& e) { return e.conflicts(); });
  if (!conflicts.ok()) throw Failure(s.line, conflicts.status().to_string());
  const auto found = std::ranges::find_if(
      *conflicts, [&](const Conflict& c) { return describe(c).starts_with(line); });
  if (found == conflicts->end()) throw Failure(s.line, one.name() + " lists no " + line);
  stage_.tick();
  const Status status = one.resolve(found->id, how);
  expect_outcome(s, one, status);
  for (Site* each : sites_named({"all"})) losses_.forget(*each);
}

/// Values written to these tables may go: by the script's word, or by their policies.
std::set<std::string> Player::not_checked() const {
  std::set<std::string> out = may_differ_;
  out.insert(by_policy_.begin(), by_policy_.end());
  return out;
}

/// cut a b | c
void Player::cut(const Statement& s) {
  std::vector<std::vector<std::string>> groups(1);
  for (const auto& word : s.words) {
    if (word == "|") {
      groups.emplace_back();
    } else {
      groups.back().push_back(site(word).name());
    }
  }
  if (groups.size() < 2) throw Failure(s.line, "cut needs groups: cut a | b c");
  stage_.cut(groups);
}

void Player::clock(const Statement& s) {
  const auto ms = s.words[1] == "right" ? 0 : milliseconds(s.words[1]);
  if (!ms) throw Failure(s.line, "a clock is set by a time, such as -2h, or right");
  for (Site* one : sites_named({s.words[0]})) stage_.set_wrong(*one, *ms);
}

/// deliver a->b [SETS]
void Player::deliver(const Statement& s) {
  const auto arrow = s.words[0].find("->");
  if (arrow == std::string::npos) throw Failure(s.line, "deliver a->b");
  std::optional<std::uint64_t> sets;
  if (s.words.size() == 2) sets = std::strtoull(s.words[1].c_str(), nullptr, 10);
  if (sets == std::uint64_t{0}) throw Failure(s.line, "how many change sets?");
  Site& from = site(s.words[0].substr(0, arrow));
  Site& to = site(s.words[0].substr(arrow + 2));
  const std::string wrong = stage_.deliver(from, to, sets);
  if (!wrong.empty()) throw Failure(s.line, wrong);
}

void Player::verify() {
  std::string wrong;
  for (const auto& group : stage_.groups()) {
    if (wrong.empty()) wrong = difference(group, may_differ_);
    if (wrong.empty()) wrong = losses_.find(group);
    if (wrong.empty()) wrong = unequal_lists(group, may_differ_);
    for (Site* one : group) {
      if (wrong.empty()) wrong = unsound(*one);
    }
  }
  if (!wrong.empty()) throw Failure(line_, wrong);
}

void Player::settle(const Statement&) {
  const std::string wrong = stage_.settle();
  if (!wrong.empty()) throw Failure(line_, wrong);
  verify();
}

void Player::finish(int line) {
  line_ = line;
  stage_.heal();
  for (const auto& one : stage_.sites()) start(*one);
  settle({});
}

/// copy a d: cp a.db d.db
void Player::copy(const Statement& s) {
  site(s.words[0]).copy_to(stage_.file_of(s.words[1]));
  add(s.words[1]);
}

void Player::backup(const Statement& s) {
  Site& one = site(s.words[0]);
  backups_[one.name()] = stage_.file_of("backup-of-" + one.name());
  one.copy_to(backups_[one.name()]);
}

void Player::restore(const Statement& s) {
  Site& one = site(s.words[0]);
  const auto found = backups_.find(one.name());
  if (found == backups_.end()) throw Failure(s.line, "there is no backup of " + one.name());
  const bool was_up = one.up();
  one.stop();
  one.restore(found->second);
  losses_.forget(one);
  if (was_up) start(one);
}

/// sqlite3 a.db .dump | sqlite3 d.db
void Player::write_dump(Site& from, const std::string& path) {
  sim::Connection file(path, nullptr);
  if (file.run(dump_of(from)) != 0) throw Failure(line_, file.error());
}

/// dump a d
void Player::dump(const Statement& s) {
  write_dump(site(s.words[0]), stage_.file_of(s.words[1]));
  add(s.words[1]);
}

/// sqlite3 a.db .dump | sqlite3 new.db; mv new.db a.db
void Player::reload(const Statement& s) {
  Site& one = site(s.words[0]);
  const bool was_up = one.up();
  one.stop();
  const std::string path = stage_.file_of("reloaded-" + one.name());
  write_dump(one, path);
  one.restore(path);
  if (was_up) start(one);
}

}  // namespace mycelial::scenario
