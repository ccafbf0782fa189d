// SPDX-License-Identifier: Apache-2.0
#include "storage/meta.hpp"

#include <fmt/format.h>

#include "storage/capture.hpp"

namespace mycelial::storage {
namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE mycelial_meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- id 0 is the baseline: rows that were there when their table was tracked.
CREATE TABLE mycelial_stream(id INTEGER PRIMARY KEY, site BLOB, scope INTEGER, class INTEGER,
                             seq INTEGER, hash BLOB);
INSERT INTO mycelial_stream VALUES(0, zeroblob(16), 0, 0, 0, x'');
-- What the author of a stream had seen when it made its latest set.
CREATE TABLE mycelial_context(stream INTEGER, other INTEGER, seq INTEGER,
                              PRIMARY KEY(stream, other)) WITHOUT ROWID;
-- Sealed sets kept for peers that are behind. data is NULL when it lies in a file of its own.
CREATE TABLE mycelial_set(ord INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER, first INTEGER,
                          last INTEGER, hash BLOB, size INTEGER, data BLOB);
CREATE INDEX mycelial_set_by_stream ON mycelial_set(stream, last);
CREATE TABLE mycelial_schema(hash BLOB PRIMARY KEY, record BLOB, announced INTEGER) WITHOUT ROWID;
-- Bookkeeping of rows that tables with rowids show, about 256 rows a record.
CREATE TABLE mycelial_segment(tbl INTEGER, first INTEGER, data BLOB,
                              PRIMARY KEY(tbl, first)) WITHOUT ROWID;
-- Hidden identities -> rowid, 256 numbers a record.
CREATE TABLE mycelial_ident(tbl INTEGER, origin INTEGER, block INTEGER, data BLOB,
                            PRIMARY KEY(tbl, origin, block)) WITHOUT ROWID;
-- Rows that no rowid table shows: WITHOUT ROWID rows, the dead, the hidden, the parked.
CREATE TABLE mycelial_row(tbl INTEGER, ident BLOB, status INTEGER, data BLOB, blocker BLOB,
                          at INTEGER, PRIMARY KEY(tbl, ident)) WITHOUT ROWID;
CREATE INDEX mycelial_row_hidden ON mycelial_row(tbl, status) WHERE status > 1;
CREATE INDEX mycelial_row_blocked ON mycelial_row(tbl, blocker) WHERE status = 2;
-- Unique values that hidden rows claim.
CREATE TABLE mycelial_claim(tbl INTEGER, idx INTEGER, value BLOB, ident BLOB,
                            PRIMARY KEY(tbl, idx, value, ident)) WITHOUT ROWID;
CREATE INDEX mycelial_claim_of ON mycelial_claim(tbl, ident);
CREATE TABLE mycelial_conflict(id INTEGER PRIMARY KEY AUTOINCREMENT, tbl INTEGER, ident BLOB,
                               col TEXT, kind TEXT, value TEXT, winner TEXT, rule TEXT,
                               at INTEGER);
CREATE INDEX mycelial_conflict_of ON mycelial_conflict(tbl, ident);
CREATE INDEX mycelial_conflict_at ON mycelial_conflict(at);
)sql";

// Since format 2: what collecting needs.
constexpr const char* kCollecting = R"sql(
-- Deaths by sets of the stream up to here may have been forgotten.
ALTER TABLE mycelial_stream ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
-- What is known of other replicas of the fleet; have: (stream, number) as varints.
CREATE TABLE mycelial_member(site BLOB PRIMARY KEY, beat INTEGER, heard INTEGER,
                             forgotten INTEGER, have BLOB) WITHOUT ROWID;
-- Baseline rows that are dead for good.
CREATE TABLE mycelial_grave(tbl INTEGER, name BLOB, PRIMARY KEY(tbl, name)) WITHOUT ROWID;
)sql";

/// Gives the number otherwise.
std::int64_t refuse_newer(Connection& db) {
  const auto format = db.integer("SELECT value FROM mycelial_meta WHERE key = 'format'");
  if (format > kFileFormat) {
    throw StorageError(
        Errc::version,
        fmt::format("this file has mycelial format {}, this mycelial knows up to {}; upgrade "
                    "mycelial here",
                    format, kFileFormat));
  }
  return format;
}

}  // namespace

bool Meta::exists(Connection& db) {
  return db.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'mycelial_meta'") != 0;
}

bool Meta::can_collect(Connection& db) {
  return exists(db) && db.integer("SELECT value FROM mycelial_meta WHERE key = 'format'") >= 2;
}

void Meta::create(Connection& db) {
  if (exists(db)) {
    if (refuse_newer(db) < 2) {
      db.exec(kCollecting);
      db.exec("UPDATE mycelial_meta SET value = 2 WHERE key = 'format'");
    }
    return;
  }
  const bool had_sequence =
      db.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'") != 0;
  db.exec(kTables);
  db.exec(kCollecting);
  create_capture_tables(db);
  db.exec(fmt::format("INSERT INTO mycelial_meta VALUES('format', {}), ('made_sequence', {})",
                      kFileFormat, had_sequence ? 0 : 1));
}

bool Meta::reload() {
  refuse_newer(db_);
  Meta read(db_);
  Use s(db_, "SELECT id, site, scope, class, seq, hash FROM mycelial_stream ORDER BY id");
  while (s->step()) {
    const core::Stream stream{core::Site::from(s->blob(1)),
                              static_cast<std::uint32_t>(s->number(2)),
                              static_cast<std::uint32_t>(s->number(3))};
    const auto id = s->number(0);
    if (id != read.streams_.size())
      throw StorageError(Errc::corrupt, "the list of streams is damaged");
    read.streams_.push_back(stream);
    read.covered_.push_back(id == 0 ? 0 : s->number(4));
    read.origins_[stream] = static_cast<core::Origin>(id);
    if (id != 0 && s->number(4) > 0) read.have_[stream] = {s->number(4), Hash::from(s->blob(5))};
  }
  read.site_ = core::Site::from(get("site"));
  read.label_ = core::Site::from(get("label"));
  read.clock = static_cast<core::Hlc>(get_integer("clock"));
  site_ = read.site_;
  label_ = read.label_;
  clock = read.clock;
  streams_.swap(read.streams_);
  origins_.swap(read.origins_);
  covered_.swap(read.covered_);
  have_.swap(read.have_);
  ranks_.reset();
  begin();
  return have_ != read.have_;
}

void Meta::begin() {
  mark_ = {site_, label_, clock, streams_.size(), {}};
}

void Meta::undo() {
  site_ = mark_.site;
  label_ = mark_.label;
  clock = mark_.clock;
  for (auto it = mark_.tips.rbegin(); it != mark_.tips.rend(); ++it) {
    const auto& [stream, tip] = *it;
    covered_[origins_.at(stream)] = tip.seq;
    if (tip.seq == 0) {
      have_.erase(stream);
    } else {
      have_[stream] = tip;
    }
  }
  for (std::size_t id = mark_.streams; id < streams_.size(); ++id) origins_.erase(streams_[id]);
  streams_.resize(mark_.streams);
  covered_.resize(mark_.streams);
  ranks_.reset();
  begin();
}

std::string Meta::get(std::string_view key) {
  Use s(db_, "SELECT value FROM mycelial_meta WHERE key = ?1");
  s->bind_text(1, key);
  return s->step() ? std::string(s->blob(0)) : std::string();
}

std::int64_t Meta::get_integer(std::string_view key) {
  Use s(db_, "SELECT value FROM mycelial_meta WHERE key = ?1");
  s->bind_text(1, key);
  return s->step() ? s->integer(0) : 0;
}

void Meta::set(std::string_view key, const core::Value& value) {
  Use s(db_, "INSERT OR REPLACE INTO mycelial_meta VALUES(?1, ?2)");
  s->bind_text(1, key).bind(2, value).run();
}

void Meta::set_site(const core::Site& site) {
  set("site", core::Value::blob(site.view()));
  site_ = site;
}

void Meta::set_label(const core::Site& label) {
  set("label", core::Value::blob(label.view()));
  label_ = label;
}

std::optional<core::Origin> Meta::find_origin(const core::Stream& stream) const {
  const auto it = origins_.find(stream);
  return it == origins_.end() ? std::nullopt : std::optional(it->second);
}

core::Origin Meta::origin_of(const core::Stream& stream) {
  if (last_ < streams_.size() && streams_[last_] == stream) return last_;  // rows come in runs
  if (const auto known = find_origin(stream)) return last_ = *known;
  const auto id = static_cast<core::Origin>(streams_.size());
  Use s(db_,
        "INSERT INTO mycelial_stream(id, site, scope, class, seq, hash) VALUES(?1, ?2, ?3, "
        "?4, 0, x'')");
  s->bind(1, id)
      .bind_blob(2, stream.site.view())
      .bind(3, stream.scope)
      .bind(4, stream.priority_class);
  s->run();
  streams_.push_back(stream);
  covered_.push_back(0);
  origins_[stream] = id;
  ranks_.reset();
  return id;
}

const core::Ranks& Meta::ranks() {
  if (!ranks_) ranks_.emplace(streams_);
  return *ranks_;
}

void Meta::advance(const core::Stream& stream, const core::Tip& tip) {
  const auto id = origin_of(stream);
  Use s(db_, "UPDATE mycelial_stream SET seq = ?2, hash = ?3 WHERE id = ?1");
  s->bind(1, id).bind(2, tip.seq).bind_blob(3, tip.hash.view()).run();
  covered_[id] = tip.seq;
  core::Tip& held = have_[stream];
  mark_.tips.emplace_back(stream, held);
  held = tip;
}

void Meta::raise_floor(core::Origin origin, std::uint64_t seq) {
  if (seq == 0) return;
  Use s(db_, "UPDATE mycelial_stream SET floor = max(floor, ?2) WHERE id = ?1");
  s->bind(1, origin).bind(2, seq).run();
}

std::vector<std::pair<core::Stream, std::uint64_t>> Meta::floors() {
  std::vector<std::pair<core::Stream, std::uint64_t>> out;
  Use s(db_, "SELECT id, floor FROM mycelial_stream WHERE floor > 0 ORDER BY id");
  while (s->step()) out.emplace_back(streams_.at(s->number(0)), s->number(1));
  return out;
}

void Meta::save_clock() {
  set("clock", core::Value::of(static_cast<std::int64_t>(clock)));
}

}  // namespace mycelial::storage
