// SPDX-License-Identifier: Apache-2.0
// Marks: rare things that a good set of runs has met at least once. What is never met is not
// tested, whatever the laws say.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mycelial::sim {

enum class Mark : std::uint8_t {
  // What was done to nodes.
  killed,
  power_lost,
  drive_full,
  read_failed,
  write_failed,
  sync_failed,
  engine_refused_to_start,
  clock_jumped,
  went_back_to_backup,
  joined_as_copy,
  joined_empty,
  table_made_anew,
  member_forgotten,
  // What the network did.
  link_severed,
  message_lost,
  message_doubled,
  group_used,
  old_messages_heard,
  // What was said.
  said_stop,
  said_bye,
  said_compare,
  sent_set,
  sent_cut,
  sent_list,
  // What came of it.
  new_site_taken,
  deaths_forgotten,
  overtook_a_transaction,
  listed_hidden,
  listed_superseded,
  listed_deleted,
  listed_restored,
  listed_orphan,
  // Where acknowledged writes were at the end, by what was looked at last: see check_writes().
  write_visible,
  write_overwritten,
  write_listed,
  count,
};

/// It happened (so many times).
void mark(Mark what, std::uint64_t times = 1);
/// By name, of this process so far.
std::vector<std::pair<std::string, std::uint64_t>> all_marks();

}  // namespace mycelial::sim
