// SPDX-License-Identifier: Apache-2.0
// mycelial conflicts, resolve.
#include <cstdio>
#include <optional>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

std::string as_json(const Conflict& c) {
  return "{\"id\":" + json(c.id) + ",\"table\":" + json(c.table) + ",\"row\":" + json(c.row) +
         ",\"column\":" + json(c.column) + ",\"kind\":" + json(c.kind) +
         ",\"value\":" + json(c.value) + ",\"winner\":" + json(c.winner) +
         ",\"rule\":" + json(c.rule) + ",\"since\":" + json(c.since) + "}";
}

void print(const Conflict& c) {
  std::printf("%s %s %s %s%s%s: %s%s%s (%s)\n", c.id.c_str(), c.since.c_str(), c.kind.c_str(),
              (c.table + "[" + c.row + "]").c_str(), c.column.empty() ? "" : ".", c.column.c_str(),
              c.value.c_str(), c.winner.empty() ? "" : "; shown: ", c.winner.c_str(),
              c.rule.c_str());
}

std::optional<Resolution> read_resolution(const std::string& word) {
  using Kind = Resolution::Kind;
  if (word == "restore") return Resolution{Kind::restore, {}, {}};
  if (word == "dismiss") return Resolution{Kind::dismiss, {}, {}};
  const auto sign = word.find('=');
  if (sign == std::string::npos || sign == 0) return std::nullopt;
  return Resolution{Kind::change, word.substr(0, sign), word.substr(sign + 1)};
}

}  // namespace

int conflicts(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("conflicts needs one database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const auto list = replica->conflicts();
  if (!list.ok()) return fail(list.status());
  std::string out;
  for (const auto& c : *list) {
    if (a.json) {
      out += (out.empty() ? "" : ",\n ") + as_json(c);
    } else {
      print(c);
    }
  }
  if (a.json) std::printf("[%s]\n", out.c_str());
  return kGood;
}

int resolve(const Arguments& a) {
  if (a.plain.size() < 3) {
    return usage_error("resolve needs a database, restore, dismiss or COLUMN=VALUE, and ids");
  }
  const auto how = read_resolution(a.plain[1]);
  if (!how) {
    return usage_error("resolve takes restore, dismiss or COLUMN=VALUE, not '" + a.plain[1] + "'");
  }
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  for (std::size_t i = 2; i < a.plain.size(); ++i) {
    const Status status = replica->resolve(a.plain[i], *how);
    if (!status.ok()) code = fail(status);
  }
  return code;
}

}  // namespace mycelial::cli
