// SPDX-License-Identifier: Apache-2.0
#include "handles.hpp"

using namespace mycelial;
using namespace mycelial::capi;

extern "C" {

size_t mycelial_tables_count(const mycelial_tables* tables) noexcept {
  return tables == nullptr ? 0 : tables->tables.size();
}

const char* mycelial_tables_name(const mycelial_tables* tables, size_t index) noexcept {
  return index < mycelial_tables_count(tables) ? tables->tables[index].name.c_str() : nullptr;
}

uint32_t mycelial_tables_tracked(const mycelial_tables* tables, size_t index) noexcept {
  return index < mycelial_tables_count(tables) && tables->tables[index].tracked ? 1 : 0;
}

const char* mycelial_tables_reason(const mycelial_tables* tables, size_t index) noexcept {
  return index < mycelial_tables_count(tables) ? tables->tables[index].reason.c_str() : nullptr;
}

void mycelial_tables_free(mycelial_tables* tables) noexcept {
  delete tables;
}

mycelial_code mycelial_get_status(mycelial_replica* replica, mycelial_status** out,
                                  mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    if (out == nullptr) return null_argument("out");
    auto status = replica->replica->status();
    if (!status.ok()) return status.status();
    mycelial_status made;
    made.json = status_json(*status);
    made.tables.tables = status->tables;
    made.status = std::move(status).value();
    give(out, std::move(made));
    return {};
  });
}

const char* mycelial_status_path(const mycelial_status* status) noexcept {
  return status == nullptr ? "" : status->status.path.c_str();
}

const char* mycelial_status_site(const mycelial_status* status) noexcept {
  return status == nullptr ? "" : status->status.site.c_str();
}

const char* mycelial_status_last_error(const mycelial_status* status) noexcept {
  return status == nullptr ? "" : status->status.last_error.c_str();
}

mycelial_code mycelial_status_counters(const mycelial_status* status,
                                       mycelial_counters* out) noexcept {
  if (status == nullptr) return MYCELIAL_INVALID_ARGUMENT;
  const ReplicaStatus& from = status->status;
  mycelial_counters counters{};
  counters.journal_entries = from.journal_entries;
  counters.sets_held = from.sets_held;
  counters.streams = from.streams;
  counters.tail_sets = from.tail_sets;
  counters.tail_bytes = from.tail_bytes;
  counters.hidden_rows = from.hidden_rows;
  counters.parked_rows = from.parked_rows;
  counters.superseded = from.superseded;
  counters.collisions = from.collisions;
  counters.own_sets = from.own_sets;
  counters.own_sets_elsewhere = from.own_sets_elsewhere;
  counters.own_sets_everywhere = from.own_sets_everywhere;
  return fill_sized(out, counters);
}

const mycelial_tables* mycelial_status_tables(const mycelial_status* status) noexcept {
  return status == nullptr ? nullptr : &status->tables;
}

size_t mycelial_status_peer_count(const mycelial_status* status) noexcept {
  return status == nullptr ? 0 : status->status.peers.size();
}

mycelial_code mycelial_status_peer(const mycelial_status* status, size_t index,
                                   mycelial_peer* out) noexcept {
  if (status == nullptr) return MYCELIAL_INVALID_ARGUMENT;
  if (index >= status->status.peers.size()) return MYCELIAL_NOT_FOUND;
  const PeerInfo& from = status->status.peers[index];
  mycelial_peer peer{};
  peer.connected = from.connected ? 1 : 0;
  peer.in_sync = from.in_sync ? 1 : 0;
  peer.endpoint = from.endpoint.c_str();
  peer.site = from.site.c_str();
  peer.last_error = from.last_error.c_str();
  peer.they_lack_sets = from.they_lack_sets;
  peer.we_lack_sets = from.we_lack_sets;
  return fill_sized(out, peer);
}

size_t mycelial_status_note_count(const mycelial_status* status) noexcept {
  return status == nullptr ? 0 : status->status.notes.size();
}

const char* mycelial_status_note(const mycelial_status* status, size_t index) noexcept {
  return index < mycelial_status_note_count(status) ? status->status.notes[index].c_str() : nullptr;
}

const char* mycelial_status_json(const mycelial_status* status) noexcept {
  return status == nullptr ? "{}" : status->json.c_str();
}

void mycelial_status_free(mycelial_status* status) noexcept {
  delete status;
}

mycelial_code mycelial_get_conflicts(mycelial_replica* replica, mycelial_conflicts** out,
                                     mycelial_error* error) noexcept {
  return open_cursor(replica, out, error, [](Replica& r) { return r.conflicts(); });
}

int mycelial_conflicts_next(mycelial_conflicts* cursor, mycelial_conflict* out) noexcept {
  return next_of(cursor, out, [](const Conflict& from) {
    mycelial_conflict entry{};
    entry.table = from.table.c_str();
    entry.row = from.row.c_str();
    entry.column = from.column.c_str();
    entry.kind = from.kind.c_str();
    entry.value = from.value.c_str();
    entry.winner = from.winner.c_str();
    entry.rule = from.rule.c_str();
    entry.since = from.since.c_str();
    entry.id = from.id.c_str();
    return entry;
  });
}

void mycelial_conflicts_free(mycelial_conflicts* cursor) noexcept {
  delete cursor;
}

}  // extern "C"
