// SPDX-License-Identifier: Apache-2.0
// The disk of the simulator: a layer over SQLite's own VFS that becomes the default one. It gives
// SQL the virtual time and the seed's random numbers, and it can kill a program between any two of
// its operations on files.
#pragma once

#include <cstdint>
#include <functional>

#include "mycelial/environment.hpp"

struct sqlite3;

namespace mycelial::sim {

/// What opens databases: an engine, or an application. A dead one changes nothing more.
struct Program {
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  Clock* clock = nullptr;  ///< What its SQL calls 'now'.
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

/// Idempotent. Makes it the default VFS and watches the statements of connections opened later.
void install_vfs();
/// SQLite's random() starts anew.
void seed_vfs(std::uint64_t seed);

}  // namespace mycelial::sim
