// SPDX-License-Identifier: Apache-2.0
// Simulation: one run of one seed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/context.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/profile.hpp"

namespace mycelial::sim {

struct Options {
  std::uint64_t seed = 1;
  int nodes = 3;
  int steps = 60;
  Profile profile = *profile_named("vehicle");
  std::string disk = "/dev/shm";  ///< A folder for the files of the run.
  const Plant* plant = nullptr;   ///< A bug that the run shall find.
  bool random_tables = false;     ///< Instead of one of each kind.
  bool verbose = false;
  bool keep = false;  ///< Leave the files there.
};

struct Report {
  std::string failure;  ///< Empty: every law held.
  std::uint64_t step = 0;
  std::uint64_t trace = 0;  ///< Hash of all that happened.
};

Report simulate(const Options& options);

class Simulation {
 public:
  explicit Simulation(const Options& options);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  Report run();

 private:
  std::string file_of(const std::string& node) const {
    return context_.folder + "/" + node + ".db";
  }
  void add_node(const std::optional<Node::Copy>& copy = {});
  void join(Node& from);
  void turn_back(Node& node);
  void link(Node& a, Node& b);
  void join_group(Node& node);
  Node& any() { return *nodes_[random_.below(nodes_.size())]; }
  void step();
  void advance(std::uint64_t ms);
  void weather(bool block);
  void clocks();
  void forget_somebody(Node& node);
  void echo_to(Node& node);
  void process_fault(Node& node);
  void drive_fault(Node& node);
  void heal();
  void converge();
  void be_quiet();
  void replay();
  void check_nodes();
  bool converged();
  bool broken() const { return !context_.failure.empty(); }

  const Options options_;
  Random random_;
  World world_;
  Network network_;
  Ledger ledger_;
  Trace trace_;
  Context context_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::pair<std::string, std::string>> links_;
  std::optional<Medium> group_;                // of a group that nodes may be members of
  std::vector<std::string> traffic_;           // messages that arrived anywhere
  std::map<std::string, Node::Copy> backups_;  // by node
  bool turned_back_ = false;
  int owners_ = 1000;  // numbers for owners of accounts begun anew
};

}  // namespace mycelial::sim
