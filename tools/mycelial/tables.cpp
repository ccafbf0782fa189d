// SPDX-License-Identifier: Apache-2.0
// mycelial track, untrack, seal.
#include <cstdio>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

bool right_words(const Arguments& a) {
  return a.all ? a.plain.size() == 1 : a.plain.size() >= 2;
}

}  // namespace

int track(const Arguments& a) {
  if (!right_words(a)) return usage_error("track needs a database and tables, or --all");
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
        std::printf("skipped %s: %s\n", t.name.c_str(), t.reason.c_str());
      }
    }
    if (tables->empty())
      return fail({Errc::not_found, a.plain[0] + " has no tables; create them first"});
    return kGood;
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
  if (!right_words(a)) return usage_error("untrack needs a database and tables, or --all");
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

int seal(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("seal needs one database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const Status status = replica->seal();
  return status.ok() ? kGood : fail(status);
}

}  // namespace mycelial::cli
