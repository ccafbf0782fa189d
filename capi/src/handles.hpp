// SPDX-License-Identifier: Apache-2.0
// What the opaque handles hold.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "mycelial/merge_policy.hpp"
#include "mycelial/replica.hpp"

struct mycelial_text {
  std::string text;
};

struct mycelial_replica {
  std::unique_ptr<mycelial::Replica> replica;
};

struct mycelial_tables {
  std::vector<mycelial::TrackedTable> tables;
};

struct mycelial_status {
  mycelial::ReplicaStatus status;
  mycelial_tables tables;
  std::string json;
};

struct mycelial_conflicts {
  std::vector<mycelial::Conflict> all;
  std::size_t next = 0;
};

struct mycelial_policy {
  std::shared_ptr<const mycelial::MergePolicy> policy;
};

struct mycelial_policies {
  std::vector<mycelial::PolicyInfo> all;
  std::size_t next = 0;
};

struct mycelial_members {
  std::vector<mycelial::MemberInfo> all;
  std::size_t next = 0;
};

namespace mycelial::capi {

/// Hands a new object to the caller.
template <class T>
void give(T** out, T value) {
  if (out != nullptr) *out = new T(std::move(value));
}

/// Makes a cursor over what `ask` gets from the replica.
template <class Cursor, class F>
mycelial_code open_cursor(mycelial_replica* replica, Cursor** out, mycelial_error* error,
                          F&& ask) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    if (out == nullptr) return null_argument("out");
    auto all = ask(*replica->replica);
    if (!all.ok()) return all.status();
    give(out, Cursor{std::move(all).value(), 0});
    return {};
  });
}

/// Fills in the next entry, as `view` shows it. 0: the end, or a NULL argument.
template <class Cursor, class Entry, class F>
int next_of(Cursor* cursor, Entry* out, F&& view) noexcept {
  if (cursor == nullptr || cursor->next >= cursor->all.size()) return 0;
  if (fill_sized(out, view(cursor->all[cursor->next])) != MYCELIAL_OK) return 0;
  ++cursor->next;
  return 1;
}

std::string status_json(const ReplicaStatus& status);

}  // namespace mycelial::capi
