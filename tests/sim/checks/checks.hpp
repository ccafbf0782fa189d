// SPDX-License-Identifier: Apache-2.0
// The laws, one file each. They tell what is wrong through Context::fail.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/context.hpp"
#include "tests/sim/node.hpp"

namespace mycelial::sim {

using Nodes = std::vector<std::unique_ptr<Node>>;

/// How far a file has come.
struct Progress {
  std::vector<std::string> have;    ///< Streams and tips.
  bool pending = false;             ///< There are captured writes that no set holds yet.
  std::vector<std::string> listed;  ///< Values that were overruled.
};
Progress progress_of(Node& node);

/// What it says at one snapshot.
struct State : Progress {
  Images images;
  std::set<std::string> lacks;  ///< Columns, as table.column, that come later here.
};
State state_of(Node& node);

/// Of two sorted lists.
std::string first_difference(const std::vector<std::string>& a, const std::vector<std::string>& b);

/// Files that hold the same sets show the same rows, to the byte.
void check_convergence(Context& c, const Nodes& nodes);
/// Every value that a file shows was written there by somebody.
void check_inventions(Context& c, Node& node);
/// Everybody holds everything: no acknowledged write is lost.
void check_writes(Context& c, const Nodes& nodes);
/// A row is there if and only if somebody made it, and no delete had seen that.
void check_lives(Context& c, Node& node);
/// Everybody holds everything: the first file shows what the change sets, by themselves, mean.
void check_meaning(Context& c, const Nodes& nodes);
/// Full-text indexes hold what their tables hold.
void check_search(Context& c, const Nodes& nodes);
/// Every row that refers to another one has it.
void check_orphans(Context& c, const Nodes& nodes);
/// Engines work, and find their own bookkeeping sound.
void check_health(Context& c, const Nodes& nodes);

}  // namespace mycelial::sim
