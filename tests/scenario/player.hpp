// SPDX-License-Identifier: Apache-2.0
// Player: plays a script, statement by statement.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/checks.hpp"
#include "tests/scenario/script.hpp"
#include "tests/scenario/stage.hpp"

namespace mycelial::scenario {

/// Throws Failure where something is not as the script says.
void play(const Script& script);

class Player {
 public:
  void play(const Statement& s);
  /// Everybody is up and linked; everything is sound, equal and there.
  void finish(int line);

 private:
  void run_sql(const Statement& s);
  void list(const Statement& s);
  void run_command(const Statement& s);

  void sites(const Statement& s);
  void links(const Statement& s);
  void schema(const Statement& s);
  void track(const Statement& s);
  void untrack(const Statement& s);
  void alter(const Statement& s);
  void resolve(const Statement& s);
  void policy(const Statement& s);
  std::set<std::string> not_checked() const;
  void cut(const Statement& s);
  void clock(const Statement& s);
  void deliver(const Statement& s);
  void settle(const Statement& s);
  void copy(const Statement& s);
  void backup(const Statement& s);
  void restore(const Statement& s);
  void dump(const Statement& s);
  void reload(const Statement& s);

  Site& site(const std::string& name);
  std::vector<Site*> sites_named(const std::vector<std::string>& names);
  void expect_lines(const Statement& s, const Site& one,
                    const std::vector<std::string>& lines) const;
  void expect_outcome(const Statement& s, const Site& one, const Status& status) const;
  std::vector<std::string> set_up(Site& site, const std::string& sql);
  std::string with_paths(const std::string& sql) const;
  void start(Site& site);
  void add(const std::string& name);
  void verify();
  void write_dump(Site& from, const std::string& path);

  Stage stage_;
  Losses losses_;
  std::string schema_;  // of all sites
  std::set<std::string> may_differ_, by_policy_;
  std::map<std::string, std::string> backups_;
  int line_ = 0;  // of the statement being played
};

}  // namespace mycelial::scenario
