// SPDX-License-Identifier: Apache-2.0
// mycelial policy.
#include <cstdio>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

int list(const std::vector<PolicyInfo>& policies, bool as_json) {
  if (as_json) {
    std::printf("[");
    for (std::size_t i = 0; i < policies.size(); ++i) {
      const auto& p = policies[i];
      std::printf("%s{\"table\":%s,\"column\":%s,\"policy\":%s,\"known\":%s}", i ? "," : "",
                  json(p.table).c_str(), p.column.empty() ? "null" : json(p.column).c_str(),
                  json(p.policy).c_str(), p.known ? "true" : "false");
    }
    std::printf("]\n");
    return kGood;
  }
  if (policies.empty()) std::puts("every column: the last writer wins");
  for (const auto& p : policies) {
    std::printf("%s%s%s %s%s\n", p.table.c_str(), p.column.empty() ? "" : ".", p.column.c_str(),
                p.policy.c_str(), p.known ? "" : " (not known to this program)");
  }
  return kGood;
}

}  // namespace

int policy(const Arguments& a) {
  if (a.plain.size() != 1 && a.plain.size() != 3) {
    return usage_error("policy needs a database, or a database, TABLE or TABLE.COLUMN, and a name");
  }
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  if (a.plain.size() == 1) {
    const auto policies = replica->policies();
    return policies.ok() ? list(*policies, a.json) : fail(policies.status());
  }
  const std::string& what = a.plain[1];
  Status status = replica->set_policy(what, "", a.plain[2]);
  // A table's name may have a dot; a column's may, too.
  for (auto dot = what.find('.'); status.code() == Errc::not_found && dot != std::string::npos;
       dot = what.find('.', dot + 1)) {
    const Status other = replica->set_policy(what.substr(0, dot), what.substr(dot + 1), a.plain[2]);
    const bool last = what.find('.', dot + 1) == std::string::npos;
    if (other.ok() || other.code() != Errc::not_found || last) status = other;
  }
  return status.ok() ? kGood : fail(status);
}

}  // namespace mycelial::cli
