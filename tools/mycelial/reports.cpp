// SPDX-License-Identifier: Apache-2.0
// mycelial status, digest, check.
#include <cstdio>
#include <string>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

std::string status_json(const ReplicaStatus& s) {
  std::string tables, peers, notes;
  for (const auto& t : s.tables) tables += (tables.empty() ? "" : ",") + json(t.name);
  for (const auto& p : s.peers) {
    peers += (peers.empty() ? "" : ",") + ("{\"endpoint\":" + json(p.endpoint)) +
             ",\"site\":" + json(p.site) + ",\"connected\":" + (p.connected ? "true" : "false") +
             ",\"in_sync\":" + (p.in_sync ? "true" : "false") +
             ",\"they_lack_sets\":" + number(p.they_lack_sets) +
             ",\"we_lack_sets\":" + number(p.we_lack_sets) +
             ",\"last_error\":" + json(p.last_error) + "}";
  }
  for (const auto& n : s.notes) notes += (notes.empty() ? "" : ",") + json(n);
  return "{\"path\":" + json(s.path) + ",\"site\":" + json(s.site) + ",\"tables\":[" + tables +
         "],\"peers\":[" + peers + "],\"journal_entries\":" + number(s.journal_entries) +
         ",\"sets_held\":" + number(s.sets_held) + ",\"streams\":" + number(s.streams) +
         ",\"tail_sets\":" + number(s.tail_sets) + ",\"tail_bytes\":" + number(s.tail_bytes) +
         ",\"own_sets\":" + number(s.own_sets) +
         ",\"own_sets_elsewhere\":" + number(s.own_sets_elsewhere) +
         ",\"own_sets_everywhere\":" + number(s.own_sets_everywhere) +
         ",\"hidden_rows\":" + number(s.hidden_rows) + ",\"parked_rows\":" + number(s.parked_rows) +
         ",\"superseded\":" + number(s.superseded) + ",\"collisions\":" + number(s.collisions) +
         ",\"retention_s\":" + number(s.retention_s) +
         ",\"conflicts_max\":" + number(s.conflicts_max) + ",\"last_error\":" + json(s.last_error) +
         ",\"notes\":[" + notes + "],\"sqlite_warning\":" + json(s.sqlite_warning) + "}";
}

void print_status(const ReplicaStatus& s) {
  std::printf("file      %s\nsite      %s\n", s.path.c_str(),
              s.site.empty() ? "(not tracked)" : s.site.c_str());
  std::string tables;
  for (const auto& t : s.tables) tables += (tables.empty() ? "" : ", ") + t.name;
  std::printf("tables    %s\n", tables.empty() ? "(none: run mycelial track)" : tables.c_str());
  std::printf("journal   %s entries captured, not sealed yet\n", number(s.journal_entries).c_str());
  std::printf("holds     %s change sets of %s sites; %s kept for peers (%s bytes)\n",
              number(s.sets_held).c_str(), number(s.streams).c_str(), number(s.tail_sets).c_str(),
              number(s.tail_bytes).c_str());
  std::printf("written   %s change sets here: %s held elsewhere, %s by all members\n",
              number(s.own_sets).c_str(), number(s.own_sets_elsewhere).c_str(),
              number(s.own_sets_everywhere).c_str());
  std::printf("conflicts %s hidden, %s parked, %s superseded (mycelial conflicts lists them)\n",
              number(s.hidden_rows).c_str(), number(s.parked_rows).c_str(),
              number(s.superseded).c_str());
  if (!s.site.empty()) {
    std::printf("keeps     what silent members lack for %s days, %s overruled values listed\n",
                number(s.retention_s / (24 * 3600)).c_str(), number(s.conflicts_max).c_str());
  }
  if (s.collisions != 0) {
    std::printf("busy      %s writes overtook an open transaction (docs/guide/busy.md)\n",
                number(s.collisions).c_str());
  }
  for (const auto& p : s.peers) {
    std::printf("peer      %s %s%s", p.endpoint.c_str(),
                !p.connected ? "not connected"
                : p.in_sync  ? "in sync"
                             : "syncing",
                "");
    if (p.connected && !p.in_sync) {
      std::printf(": it lacks %s sets, we lack %s", number(p.they_lack_sets).c_str(),
                  number(p.we_lack_sets).c_str());
    }
    std::printf("%s%s\n", p.last_error.empty() ? "" : "; last error: ", p.last_error.c_str());
  }
  for (const auto& n : s.notes) std::printf("note      %s\n", n.c_str());
  if (!s.sqlite_warning.empty()) std::printf("note      %s\n", s.sqlite_warning.c_str());
  if (!s.last_error.empty()) std::printf("error     %s\n", s.last_error.c_str());
}

}  // namespace

int status(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("status needs one database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const auto s = replica->status();
  if (!s.ok()) return fail(s.status());
  if (a.json) {
    std::printf("%s\n", status_json(*s).c_str());
  } else {
    print_status(*s);
  }
  return kGood;
}

int digest(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("digest needs one database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const auto d = replica->digest();
  if (!d.ok()) return fail(d.status());
  std::printf("%s\n", d->c_str());
  return kGood;
}

int check(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("check needs one database");
  int code = kGood;
  const auto replica = open(a.plain[0], false, &code);
  if (!replica) return code;
  const auto wrong = replica->check();
  if (!wrong.ok()) return fail(wrong.status());
  for (const auto& w : *wrong) std::printf("%s\n", w.c_str());
  if (wrong->empty()) std::printf("sound\n");
  return wrong->empty() ? kGood : kFailed;
}

}  // namespace mycelial::cli
