// SPDX-License-Identifier: Apache-2.0
// What the parts of one run share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/sim/ledger.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/plants.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/world.hpp"

namespace mycelial::sim {

/// Everything that happened, as one number; printed line by line on demand.
class Trace {
 public:
  explicit Trace(bool print) : print_(print) {}
  void add(std::string_view line);
  std::uint64_t hash() const { return hash_; }

 private:
  const bool print_;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

struct Context {
  World& world;
  Network& network;
  Random& random;
  Ledger& ledger;
  Trace& trace;
  std::string folder;
  double interference = 0;   ///< How often applications act between two statements of an engine.
  bool foreign_keys = true;  ///< Applications let SQLite enforce them.
  const Plant* plant = nullptr;  ///< A bug that shall be found.
  std::uint64_t step = 0;
  std::string failure = {};  ///< The first law broken; empty so far.

  /// Never throws: it may be called from inside SQLite.
  void fail(const std::string& why) {
    if (failure.empty()) failure = why;
  }
  void note(std::string_view who, std::string_view what);
};

}  // namespace mycelial::sim
