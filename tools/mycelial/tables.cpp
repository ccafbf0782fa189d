// SPDX-License-Identifier: Apache-2.0
// mycelial track, untrack, alter, seal.
#include <algorithm>
#include <cstdio>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

/// Empty: the words make sense.
std::string wrong_words(const Arguments& a, const std::string& name) {
  if (a.all && a.plain.size() > 1) return name + " takes tables or --all, not both";
  if (a.plain.empty()) return name + " needs a database";
  if (!a.all && a.plain.size() == 1) return name + " needs tables, or --all";
  return {};
}

}  // namespace

int track(const Arguments& a) {
  if (const auto why = wrong_words(a, "track"); !why.empty()) return usage_error(why);
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  if (a.all) {
    const auto tables = replica->track_all();
    if (!tables.ok()) return fail(tables.status());
    for (const auto& t : *tables) {
      if (t.tracked) {
        std::printf("tracked %s\n", t.name.c_str());
      } else {
        std::fprintf(stderr, "mycelial: skipped %s: %s\n", t.name.c_str(), t.reason.c_str());
      }
    }
    if (tables->empty())
      return fail({Errc::not_found, a.plain[0] + " has no tables; create them first"});
    const bool any = std::any_of(tables->begin(), tables->end(), [](auto& t) { return t.tracked; });
    return any ? kGood : fail({Errc::schema, a.plain[0] + " has no table that can be tracked"});
  }
  for (std::size_t i = 1; i < a.plain.size(); ++i) {
    const Status status = replica->track(a.plain[i]);
    if (!status.ok()) {
      code = fail(status);
    } else {
      std::printf("tracked %s\n", a.plain[i].c_str());
    }
  }
  return code;
}

int untrack(const Arguments& a) {
  if (const auto why = wrong_words(a, "untrack"); !why.empty()) return usage_error(why);
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  if (a.all) {
    const Status status = replica->untrack_all();
    return status.ok() ? kGood : fail(status);
  }
  for (std::size_t i = 1; i < a.plain.size(); ++i) {
    const Status status = replica->untrack(a.plain[i]);
    if (!status.ok()) code = fail(status);
  }
  return code;
}

int alter(const Arguments& a) {
  if (a.plain.size() != 2) return usage_error("alter needs a database and ALTER TABLE statements");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const Status status = replica->alter(a.plain[1]);
  return status.ok() ? kGood : fail(status);
}

int seal(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("seal needs one database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const Status status = replica->seal();
  return status.ok() ? kGood : fail(status);
}

}  // namespace mycelial::cli
