// SPDX-License-Identifier: Apache-2.0
// The application's triggers, on rows of peers. They ran where the rows were written: what they
// wrote to tracked tables arrives as rows, and what they refused was refused there. What they keep
// in untracked tables (search indexes, sums) must be kept here too. So our connection has triggers
// switched off, and copies of the application's as TEMP triggers, which fire for it alone: without
// RAISE and writes to tracked tables, and only of triggers that do more than these.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/sqlite.hpp"

namespace mycelial::storage {

class AppTriggers {
 public:
  /// Switches triggers off for the connection, which must outlive this.
  explicit AppTriggers(Connection& db);
  AppTriggers(const AppTriggers&) = delete;
  AppTriggers& operator=(const AppTriggers&) = delete;

  /// The schema, or what is tracked, may have changed: the copies are made anew when next needed.
  void refresh(const std::vector<std::string>& tracked);
  /// A transaction that made copies was rolled back, and they with it.
  void forget() { is_ready_ = false; }
  /// Inside a transaction, before a table is written.
  void prepare() {
    if (!is_ready_) load();
  }
  /// What cannot run here, and why. Inside a transaction.
  const std::vector<std::string>& notes() {
    prepare();
    return notes_;
  }

  /// True if a copy could fire on a write to the table.
  bool may_fire(const std::string& table) const;
  void pause();   ///< Takes all copies away.
  void resume();  ///< And makes them again.
  /// Lets all triggers of the file run on what `work` writes, ours too, as on an application's.
  void as_application(const std::function<void()>& work);
  /// Paused, a write succeeded that had failed: the table's copies stay away from now on.
  void blame(const std::string& table, const std::string& why);

 private:
  struct Copy {
    std::string name, table, sql;
    bool on_view = false;
  };
  void load();
  std::vector<Copy> read();
  std::string why_not(const Copy& copy);

  Connection& db_;
  std::set<std::string> tracked_;              // lower case
  std::map<std::string, std::string> blamed_;  // tables in lower case: why
  bool is_ready_ = false;
  std::vector<Copy> copies_;
  std::vector<std::string> notes_;
};

/// The text of a trigger under another name, as a TEMP trigger, with NULL for RAISE(...), ABORT for
/// ROLLBACK as what to do about a conflict, and without statements that write these tables (their
/// names are in lower case). Empty: no other writes remain.
std::string copied_trigger(std::string_view sql, const std::string& name,
                           const std::set<std::string>& tracked);

}  // namespace mycelial::storage
