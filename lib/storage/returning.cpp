// SPDX-License-Identifier: Apache-2.0
#include "storage/returning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>
#include <string>

#include "storage/triggers.hpp"

namespace mycelial::storage {
namespace {

using Type = core::Value::Type;

/// A number that is written as text is like the number: a column may have got another type.
core::Value plain(const core::Value& v) {
  if (v.type == Type::blob) return core::Value::text(v.bytes);
  if (v.type != Type::text) return v;
  const char* const end = v.bytes.data() + v.bytes.size();
  std::int64_t integer = 0;
  if (const auto r = std::from_chars(v.bytes.data(), end, integer);
      r.ec == std::errc() && r.ptr == end) {
    return core::Value::of(integer);
  }
  double real = 0;
  if (const auto r = std::from_chars(v.bytes.data(), end, real);
      r.ec == std::errc() && r.ptr == end) {
    return core::Value::of_real(real);
  }
  return v;
}

std::uint32_t hash_of(const core::Value& value) {
  Bytes bytes;
  put_canonical(bytes, plain(value), Collation::binary);
  return short_hash(bytes);
}

}  // namespace

Bytes Likeness::of(const TableIo& io, std::int64_t rowid, std::span<const core::Value> values) {
  Bytes out;
  put_varint(out, zigzag(rowid));
  for (std::size_t i = 0; i < values.size(); ++i) {
    put_varint(out, io.column_ids()[i]);
    put_varint(out, hash_of(values[i]));
  }
  return out;
}

std::optional<Likeness> Likeness::from(ByteView bytes) {
  if (bytes.empty()) return std::nullopt;
  ByteReader in(bytes);
  Likeness out;
  out.rowid = unzigzag(in.varint());
  while (in.ok() && !in.at_end()) {
    const auto column = static_cast<std::uint32_t>(in.varint());
    out.columns_.emplace_back(column, static_cast<std::uint32_t>(in.varint()));
  }
  if (!in.ok()) throw StorageError(Errc::corrupt, "a parked row is damaged; run mycelial check");
  return out;
}

std::optional<bool> Likeness::is_same(std::uint32_t column, const core::Value& value) const {
  const auto it =
      std::ranges::find(columns_, column, &std::pair<std::uint32_t, std::uint32_t>::first);
  if (it == columns_.end()) return std::nullopt;
  return it->second == hash_of(value);
}

Like Likeness::like(const TableIo& io, std::span<const core::Value> values) const {
  bool all = true, any = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto same = is_same(io.column_ids()[i], values[i]);
    all &= same.value_or(true);
    any |= same.value_or(false);
  }
  return all ? Like::all : any ? Like::some : Like::none;
}

Bytes Likeness::content(const TableIo& io, std::span<const core::Value> values) const {
  Bytes out;
  for (const auto& [column, hash] : columns_) {
    const auto position = io.position_of(column);
    if (position) put_varint(out, values.empty() ? hash : hash_of(values[*position]));
  }
  return out;
}

Returning::Returning(Connection& db, TableIo& io) {
  if (!io.has_rowid()) return;
  std::map<core::Identity, Likeness> rows;
  Statement list(db, "SELECT ident, blocker FROM mycelial_row WHERE tbl = ?1 AND status IN (1, 3)");
  list.bind(1, io.info().id);
  while (list.step()) {
    if (is_key_identity(list.blob(0))) continue;  // the key tells
    if (auto was = Likeness::from(list.blob(1))) rows.emplace(list.blob(0), std::move(*was));
  }
  list.reset();
  if (!rows.empty()) match(db, io, std::move(rows));
}

void Returning::match(Connection& db, TableIo& io, std::map<core::Identity, Likeness> rows) {
  std::map<std::int64_t, core::Identity> places;  // of rows that are still to be found
  for (const auto& [identity, was] : rows) places[was.rowid] = identity;
  const auto scan = [&](auto&& look) {
    Statement s(
        db, fmt::format("SELECT {} FROM {}", rowid_name(io.info()), quote_name(io.info().name)));
    while (!places.empty() && s.step()) {
      const auto rowid = s.integer(0);
      if (found_.contains(rowid)) continue;
      const auto values = io.read({rowid, {}});
      const auto place = values ? look(rowid, *values) : places.end();
      io.release();
      if (place == places.end()) continue;
      found_[rowid] = place->second;
      places.erase(place);
    }
  };
  scan([&](std::int64_t rowid, std::span<const core::Value> values) {
    const auto it = places.find(rowid);
    return it != places.end() && rows.at(it->second).like(io, values) == Like::all ? it
                                                                                   : places.end();
  });
  std::multimap<Bytes, std::int64_t> contents;
  for (const auto& [place, identity] : places) {
    contents.emplace(rows.at(identity).content(io), place);
  }
  scan([&](std::int64_t, std::span<const core::Value> values) {
    const auto it = contents.find(rows.begin()->second.content(io, values));
    if (it == contents.end()) return places.end();
    return places.find(contents.extract(it).mapped());
  });
  scan([&](std::int64_t rowid, std::span<const core::Value> values) {
    const auto it = places.find(rowid);
    return it != places.end() && rows.at(it->second).like(io, values) == Like::some ? it
                                                                                    : places.end();
  });
}

std::optional<core::Identity> Returning::at(std::int64_t rowid) const {
  const auto it = found_.find(rowid);
  return it == found_.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace mycelial::storage
