// SPDX-License-Identifier: Apache-2.0
// SealSchedule: when to look for commits, and when to seal what they captured. Time only; no I/O.
#pragma once

#include <cstdint>
#include <limits>

namespace mycelial::engine {

using TimeMs = std::uint64_t;
constexpr TimeMs kNever = std::numeric_limits<TimeMs>::max();

class SealSchedule {
 public:
  /// `poll_ms`: how often to look for commits that nobody announced.
  SealSchedule(std::uint32_t debounce_ms, std::uint32_t poll_ms, TimeMs now)
      : debounce_(debounce_ms), poll_(poll_ms), poll_at_(now) {}

  void set_poll(std::uint32_t poll_ms) { poll_ = poll_ms; }
  /// Somebody says that there may have been a commit. The index of the WAL, which makes it visible,
  /// is written after the frames that a watcher sees: so look now and a few times later.
  void announced(TimeMs now);
  /// The file was looked at; `changed`: there was a commit by another connection.
  void looked(bool changed, TimeMs now);
  /// Something may wait in the journal.
  void dirty(TimeMs now);
  void set_links(bool any) { links_ = any; }
  void sealed();
  void seal_failed(TimeMs now);
  void put_off(TimeMs until) { not_before_ = until; }  ///< The moment does not suit others.
  /// Without links: the journal is small, so sealing can wait for one, or for more writes.
  void postponed(TimeMs now);

  bool is_dirty() const { return dirty_; }
  bool has_links() const { return links_; }
  TimeMs look_at() const;
  TimeMs seal_at() const;  ///< kNever when nothing waits.

 private:
  std::uint32_t debounce_;
  std::uint32_t poll_;
  TimeMs poll_at_;
  TimeMs again_at_ = kNever;
  unsigned again_step_ = 0;
  bool dirty_ = false;
  bool links_ = false;
  TimeMs first_ = 0, last_ = 0;
  TimeMs not_before_ = 0;  // back-off after a failure
  std::uint32_t backoff_ = 0;
  TimeMs size_check_at_ = kNever;
  TimeMs size_checked_ = 0;
};

}  // namespace mycelial::engine
