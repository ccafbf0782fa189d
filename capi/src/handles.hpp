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

std::string status_json(const ReplicaStatus& status);

}  // namespace mycelial::capi
