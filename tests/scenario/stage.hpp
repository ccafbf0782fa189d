// SPDX-License-Identifier: Apache-2.0
// Stage: the sites of a scenario, the network between them, and time. Nothing travels but in
// settle(), wait() and deliver().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/scenario/site.hpp"

namespace mycelial::scenario {

class Stage {
 public:
  Stage();
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// A new site, which dials those that are there. Its file may exist.
  Site& add(const std::string& name);
  Site* find(const std::string& name);
  const std::vector<std::unique_ptr<Site>>& sites() const { return sites_; }
  std::string file_of(const std::string& name) const { return folder_ + "/" + name + ".db"; }

  /// Only these pairs are linked from now on.
  void link_only(std::set<std::pair<std::string, std::string>> pairs);
  /// No messages between sites of different groups.
  void cut(const std::vector<std::vector<std::string>>& groups);
  void heal();
  /// One second passes on every clock, and nothing happens meanwhile.
  void tick();
  void set_wrong(Site& site, std::int64_t offset_ms);

  void wait(std::uint64_t ms);
  /// Until nothing moves. What does not come to rest is said.
  std::string settle();
  /// Sites that can reach each other, directly or through others, and serve their files.
  std::vector<std::vector<Site*>> groups() const;
  /// Lets `to` get so many change sets from `from`, and nothing else travel; all if none is given.
  std::string deliver(Site& from, Site& to, std::optional<std::uint64_t> sets);
  /// Everybody hears everything once more.
  void duplicate();

 private:
  bool linked(const std::string& a, const std::string& b) const;
  void block();
  void run(std::uint64_t ms);
  void set_clock(Site& site);
  bool at_rest(const std::vector<Site*>& group);
  std::set<std::string> lacking(Site& from, Site& to, std::optional<std::uint64_t> sets);

  sim::World world_;
  sim::Network network_;
  std::string folder_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::optional<std::set<std::pair<std::string, std::string>>> links_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::vector<std::string> traffic_;
  std::int64_t elapsed_ms_ = 0;
  bool hearing_again_ = false;
};

}  // namespace mycelial::scenario
