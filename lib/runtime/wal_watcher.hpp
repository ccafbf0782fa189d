// SPDX-License-Identifier: Apache-2.0
// WalWatcher: notices that some process committed to an SQLite database, without polling it.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace mycelial::runtime {

/// Watches a database file, its -wal and its -journal with inotify, on a thread of its own that
/// sleeps in poll(2). Calls may be spurious (a checkpoint, a rolled-back transaction), and a burst
/// of changes makes few calls; a commit is never missed.
class WalWatcher {
 public:
  WalWatcher();
  WalWatcher(const WalWatcher&) = delete;
  WalWatcher& operator=(const WalWatcher&) = delete;
  ~WalWatcher();  ///< Calls stop().

  /// Calls `on_change` from the watcher's thread. The file need not exist yet; its directory must.
  /// False when the system cannot watch (no inotify, a limit reached, no such directory): the
  /// caller then polls. At most one successful start per object.
  bool start(const std::string& database_path, std::function<void()> on_change);
  /// False once watching has ended by itself (the directory was removed); on_change is called
  /// once after that, so that the caller notices. Any thread.
  bool active() const noexcept;
  /// When it returns no call runs or follows. Idempotent. Not from inside on_change.
  void stop() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mycelial::runtime
