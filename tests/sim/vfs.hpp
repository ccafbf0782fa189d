// SPDX-License-Identifier: Apache-2.0
// The simulator's VFS, which becomes SQLite's default one. Databases are in memory (disk.hpp). It
// gives SQL the virtual time and the seed's random numbers, it can kill a program between any two
// of its operations on files, and the drive that a program writes to can be full or broken.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "mycelial/environment.hpp"

struct sqlite3;

namespace mycelial::sim {

/// What is wrong with the drive of a machine, for all its programs.
struct Drive {
  enum class Trouble : std::uint8_t {
    none,
    full,   ///< Files cannot grow.
    read,   ///< Reading fails,
    write,  ///< or writing,
    sync,   ///< or syncing; only of the engine's own operations: see Program::syncs_may_fail.
  };
  Trouble trouble = Trouble::none;
  std::uint64_t spared = 0;                              ///< So many operations succeed before.
  bool once = false;                                     ///< It goes after it has struck.
  std::uint64_t strikes = 0;                             ///< Operations that failed.
  std::function<void(const std::string& file)> on_sync;  ///< A file is safe now.

  bool strikes_now(Trouble what);
};

/// What opens databases: an engine, or an application. A dead one changes nothing more.
struct Program {
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  Clock* clock = nullptr;  ///< What its SQL calls 'now'.
  Drive* drive = nullptr;  ///< Null: nothing ever fails.
  /// After a sync that failed nobody knows whether a commit will be there after a restart. The
  /// ledger takes applications at their word, so only engines are told so.
  bool syncs_may_fail = false;
  bool syncs_lie = false;  ///< They do nothing, and say nothing of that.
  bool dead = false;
  std::uint64_t writes = 0;        ///< Operations so far that change a file.
  std::uint64_t dies_at = kNever;  ///< The one during which it is killed.
  std::function<void()> between;   ///< Called before each of its statements.
  std::function<void()> waiting;   ///< Called when it waits for a lock.

  bool may_write() {
    if (writes++ >= dies_at) dead = true;
    return !dead;
  }
};

/// While it lives, SQLite runs on behalf of this program.
class Running {
 public:
  explicit Running(Program* program);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Program* before_;
};
Program* running_program();

/// Idempotent. Makes it the default VFS and watches the statements of connections opened later.
void install_vfs();
/// SQLite's random() starts anew.
void seed_vfs(std::uint64_t seed);

}  // namespace mycelial::sim
