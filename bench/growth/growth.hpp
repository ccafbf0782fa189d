// SPDX-License-Identifier: Apache-2.0
// What a change costs as the database, its history and the fleet grow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mycelial::bench {

struct Point {
  std::string picture, curve, unit;
  std::int64_t x = 0;
  double value = 0;
};

struct Growth {
  std::string folder;
  std::int64_t rows_max = 1'000'000, changes_max = 1'000'000;
  int replicas_max = 128;
  std::vector<Point> points;

  void add(const char* picture, const char* curve, const char* unit, std::int64_t x, double value);
};

/// 100 updates in databases of 10,000 rows and more.
void grow_rows(Growth& growth);
/// The same in a database of 10,000 rows that have been updated again and again.
void grow_history(Growth& growth);
/// Fleets of 2 replicas and more, in a tree, in this process.
void grow_fleet(Growth& growth);

}  // namespace mycelial::bench
