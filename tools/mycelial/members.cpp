// SPDX-License-Identifier: Apache-2.0
// mycelial members, forget.
#include <cstdio>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

std::string state_of(const MemberInfo& m) {
  if (m.is_self) return "this file";
  const std::string seen =
      m.last_heard.empty() ? "never heard of" : "last heard of " + m.last_heard;
  const std::string lacks =
      m.lacks_sets == 0 ? "has all sets" : "lacks " + std::to_string(m.lacks_sets) + " sets";
  const char* const waits = m.forgotten ? ", forgotten" : m.holds_back ? "" : ", not waited for";
  return lacks + ", " + seen + waits;
}

void print_json(const std::vector<MemberInfo>& members) {
  std::printf("[");
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto& m = members[i];
    std::printf(
        "%s{\"site\":%s,\"self\":%s,\"last_heard\":%s,\"silent_s\":%llu,\"lacks_sets\":%llu,"
        "\"holds_back\":%s,\"forgotten\":%s}",
        i ? "," : "", json(m.site).c_str(), m.is_self ? "true" : "false",
        m.last_heard.empty() ? "null" : json(m.last_heard).c_str(),
        static_cast<unsigned long long>(m.silent_s), static_cast<unsigned long long>(m.lacks_sets),
        m.holds_back ? "true" : "false", m.forgotten ? "true" : "false");
  }
  std::printf("]\n");
}

}  // namespace

int members(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("members needs a database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const auto members = replica->members();
  if (!members.ok()) return fail(members.status());
  if (a.json) {
    print_json(*members);
    return kGood;
  }
  if (members->empty()) std::puts("no members: nothing is tracked");
  for (const auto& m : *members) std::printf("%s %s\n", m.site.c_str(), state_of(m).c_str());
  return kGood;
}

int forget(const Arguments& a) {
  if (a.plain.size() != 2) return usage_error("forget needs a database and a member's site id");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const Status status = replica->forget(a.plain[1]);
  return status.ok() ? kGood : fail(status);
}

}  // namespace mycelial::cli
