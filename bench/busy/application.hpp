// SPDX-License-Identifier: Apache-2.0
// An application that reads, thinks, then writes, each time in one transaction.
#pragma once

#include <cstdint>
#include <string>

namespace mycelial::bench {

/// What the transactions are over.
constexpr char kSchema[] =
    "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER);"
    "CREATE TABLE message(author TEXT, number INTEGER, text TEXT);"
    "INSERT INTO account VALUES(1, 0)";

struct Habit {
  int think_ms = 0;  ///< Between reading and writing.
  int pause_ms = 0;  ///< Between transactions, on average; evenly spread from 0 to twice that.
  bool immediate = false;  ///< BEGIN IMMEDIATE.
  int busy_timeout_ms = 0;
};

struct Tally {
  std::uint64_t transactions = 0;      ///< Committed.
  std::uint64_t busy = 0;              ///< SQLITE_BUSY, but for...
  std::uint64_t snapshot = 0;          ///< ...SQLITE_BUSY_SNAPSHOT.
  double mean_ms = 0, longest_ms = 0;  ///< Inside SQLite, a transaction attempted.
};

/// Goes on for `seconds`. A transaction that fails is rolled back and done again.
Tally run_application(const std::string& path, const Habit& habit, double seconds);

}  // namespace mycelial::bench
