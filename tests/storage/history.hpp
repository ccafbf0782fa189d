// SPDX-License-Identifier: Apache-2.0
// Random histories: a random schema, random SQL on some sites, sets and cuts carried at random.
// A failing history is shrunk to the steps that matter and printed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace mycelial::test {

struct Step {
  enum class Kind : std::uint8_t { sql, seal, sets, some, cut, collect } kind = Kind::sql;
  std::size_t site = 0, other = 0;
  std::string text;        // sql
  std::uint64_t wait = 0;  // ms that pass before
  unsigned seed = 0;       // some
};

struct History {
  std::size_t sites = 1;
  std::string schema, pragmas, before_track;
  bool short_tail = false;  ///< Collecting empties it, so that more is sent as cuts.
  std::vector<Step> steps;
};

/// What a random history may contain.
struct Flavour {
  std::size_t sites = 1;
  std::size_t steps = 30;
  bool triggers = false, foreign_keys = false, savepoints = true, checks = false;
  bool indexes = false;  ///< UNIQUE ones over expressions and with WHERE.
  bool collects = false;
};

History random_history(unsigned seed, const Flavour& flavour);
/// Empty if all went as it must. With one site, a twin that is not tracked runs the same SQL and
/// must give the same results.
std::string play(const History& history);
/// Takes out of a failing history what does not matter; gives the trouble that is left.
std::string shrink(History& history, std::string trouble);
std::string describe(const History& history);

}  // namespace mycelial::test
