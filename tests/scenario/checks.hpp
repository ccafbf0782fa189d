// SPDX-License-Identifier: Apache-2.0
// What holds in every scenario, whatever its script says: sites that hold the same sets show the
// same rows, their bookkeeping is sound, and no value that somebody wrote is gone without a word.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/site.hpp"

namespace mycelial::scenario {

/// Differences between the tracked tables of a group; columns and tables that not all have are left
/// out, and so are tables that `may_differ` names. Empty: none.
std::string difference(const std::vector<Site*>& group, const std::set<std::string>& may_differ);

/// A conflict as a line.
std::string describe(const Conflict& conflict);

/// Conflicts that not all of the group list. Empty: none.
std::string unequal_lists(const std::vector<Site*>& group, const std::set<std::string>& may_differ);

/// What `mycelial check` finds. Empty: nothing.
std::string unsound(Site& site);

/// Values written since the sites agreed last.
class Losses {
 public:
  /// Called around every piece of SQL that a site runs.
  void before(Site& site);
  void after(Site& site, int line, const std::set<std::string>& may_differ);
  /// Its file was replaced.
  void forget(const Site& site);
  /// Which value is neither shown nor listed by sites that agree. Empty: none.
  std::string find(const std::vector<Site*>& group);

 private:
  struct Written {
    std::string value, site;
    int line;
  };
  std::map<std::string, Contents> before_;  // the SQL
  std::vector<Written> written_;
};

}  // namespace mycelial::scenario
