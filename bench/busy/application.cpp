// SPDX-License-Identifier: Apache-2.0
#include "busy/application.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#include "macro/database.hpp"

namespace mycelial::bench {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

class Application {
 public:
  Application(const std::string& path, const Habit& habit) : db_(path), habit_(habit) {
    sqlite3_extended_result_codes(db_.handle(), 1);
    sqlite3_busy_timeout(db_.handle(), habit.busy_timeout_ms);
  }

  Tally run(double seconds) {
    std::mt19937 random(1);
    std::uniform_int_distribution<int> pause(0, 2000 * habit_.pause_ms);
    std::uint64_t attempts = 0;
    for (const auto start = Clock::now(); ms_since(start) < seconds * 1000; ++attempts) {
      inside_ms_ = 0;
      if (attempt()) {
        ++tally_.transactions;
      } else {
        sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
      }
      tally_.mean_ms += inside_ms_;
      tally_.longest_ms = std::max(tally_.longest_ms, inside_ms_);
      std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
    }
    if (attempts > 0) tally_.mean_ms /= static_cast<double>(attempts);
    return tally_;
  }

 private:
  bool attempt() {
    if (!step(habit_.immediate ? "BEGIN IMMEDIATE" : "BEGIN")) return false;
    if (!step("SELECT balance FROM account WHERE id = 1")) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(habit_.think_ms));
    return step("UPDATE account SET balance = balance + 1 WHERE id = 1") &&
           step("INSERT INTO message VALUES('application', 0, 'text')") && step("COMMIT");
  }

  bool step(const char* sql) {
    const auto start = Clock::now();
    const int rc = sqlite3_exec(db_.handle(), sql, nullptr, nullptr, nullptr);
    inside_ms_ += ms_since(start);
    if (rc == SQLITE_OK) return true;
    if ((rc & 0xff) != SQLITE_BUSY) {
      std::fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db_.handle()));
      std::exit(1);
    }
    ++(rc == SQLITE_BUSY_SNAPSHOT ? tally_.snapshot : tally_.busy);
    return false;
  }

  Database db_;
  const Habit habit_;
  Tally tally_;
  double inside_ms_ = 0;
};

}  // namespace

Tally run_application(const std::string& path, const Habit& habit, double seconds) {
  return Application(path, habit).run(seconds);
}

}  // namespace mycelial::bench
