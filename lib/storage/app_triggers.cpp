// SPDX-License-Identifier: Apache-2.0
#include "storage/app_triggers.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mycelial::storage {
namespace {

constexpr std::string_view kPrefix = "mycelial copy of ";

void switch_triggers(Connection& db, bool on) {
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, on ? 1 : 0, nullptr);
}

}  // namespace

AppTriggers::AppTriggers(Connection& db) : db_(db) {
  switch_triggers(db, false);
}

std::vector<AppTriggers::Copy> AppTriggers::read() {
  std::vector<Copy> out;
  Use s(db_,
        "SELECT t.name, t.tbl_name, t.sql, v.type = 'view' FROM main.sqlite_schema t JOIN "
        "main.sqlite_schema v ON v.name = t.tbl_name COLLATE NOCASE AND v.type IN ('table', "
        "'view') WHERE t.type = 'trigger' AND t.name NOT LIKE 'mycelial %' ORDER BY t.name");
  while (s->step()) {
    Copy copy;
    copy.name = std::string(kPrefix) + std::string(s->text(0));
    copy.table = s->text(1);
    copy.sql = copied_trigger(s->text(2), copy.name, tracked_);
    copy.on_view = s->integer(3) != 0;
    if (!copy.sql.empty()) out.push_back(std::move(copy));
  }
  return out;
}

void AppTriggers::refresh(const std::vector<std::string>& tracked) {
  tracked_.clear();
  for (const auto& name : tracked) tracked_.insert(lower_case(name));
  is_ready_ = false;
}

void AppTriggers::load() {
  pause();
  copies_.clear();
  notes_.clear();
  for (const auto& [table, why] : blamed_) {
    notes_.push_back(fmt::format(
        "the triggers of {} no longer run on rows of peers; one of them failed: {}", table, why));
  }
  for (auto& copy : tracked_.empty() ? std::vector<Copy>() : read()) {
    if (blamed_.contains(lower_case(copy.table))) continue;
    const std::string why = why_not(copy);
    if (why.empty()) {
      copies_.push_back(std::move(copy));
      continue;
    }
    notes_.push_back(fmt::format("trigger {} does not run on rows of peers: {}",
                                 copy.name.substr(kPrefix.size()), why));
    db_.exec("DROP TRIGGER IF EXISTS temp." + quote_name(copy.name));
  }
  is_ready_ = true;
}

/// Makes a copy and tries it. Empty: it works.
std::string AppTriggers::why_not(const Copy& copy) {
  try {
    db_.exec(copy.sql);
    if (copy.on_view) return {};
    std::string set;
    Use columns(db_, "SELECT name FROM pragma_table_info(?1)");
    columns->bind_text(1, copy.table);
    while (columns->step()) {
      const auto name = quote_name(columns->text(0));
      set += fmt::format("{}{} = {}", set.empty() ? "" : ", ", name, name);
    }
    const auto table = quote_name(copy.table);
    for (const auto& sql :
         {fmt::format("INSERT INTO {} DEFAULT VALUES", table),
          fmt::format("UPDATE {} SET {}", table, set), fmt::format("DELETE FROM {}", table)}) {
      const Statement prepared(db_, sql);
    }
  } catch (const SqliteError& e) {
    if (e.primary() != SQLITE_ERROR) throw;
    return e.what();
  }
  return {};
}

bool AppTriggers::may_fire(const std::string& table) const {
  return std::any_of(copies_.begin(), copies_.end(), [&](const Copy& copy) {
    return sqlite3_stricmp(copy.table.c_str(), table.c_str()) == 0;
  });
}

void AppTriggers::pause() {
  std::vector<std::string> names;
  Use s(db_, "SELECT name FROM temp.sqlite_schema WHERE type = 'trigger'");
  while (s->step()) names.emplace_back(s->text(0));
  s->reset();
  for (const auto& name : names) db_.exec("DROP TRIGGER temp." + quote_name(name));
}

void AppTriggers::resume() {
  for (const auto& copy : copies_) db_.exec(copy.sql);
}

void AppTriggers::as_application(const std::function<void()>& work) {
  pause();
  is_ready_ = false;
  switch_triggers(db_, true);
  try {
    work();
  } catch (...) {
    switch_triggers(db_, false);
    throw;
  }
  switch_triggers(db_, false);
}

void AppTriggers::blame(const std::string& table, const std::string& why) {
  blamed_[lower_case(table)] = why;
  is_ready_ = false;
}

}  // namespace mycelial::storage
