// SPDX-License-Identifier: Apache-2.0
// Rows that a table showed when it was untracked, and what it shows when it is tracked again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "storage/table_io.hpp"

namespace mycelial::storage {

/// How much of a row is as it was.
enum class Like : std::uint8_t { none, some, all };

/// What a row looked like when its table was untracked: its rowid, and for each column (by stable
/// id) a hash of the value. Kept in mycelial_row.blocker of parked rows.
class Likeness {
 public:
  static Bytes of(const TableIo& io, std::int64_t rowid, std::span<const core::Value> values);
  /// Nothing: the row was not there. Throws StorageError (corrupt).
  static std::optional<Likeness> from(ByteView bytes);

  std::int64_t rowid = 0;
  /// Whether the column has the value it had; nothing if the table did not have the column.
  std::optional<bool> is_same(std::uint32_t column, const core::Value& value) const;
  /// Of the columns that the table has now.
  Like like(const TableIo& io, std::span<const core::Value> values) const;
  /// What these values, or else the row's own, are in the columns that the table had and has.
  Bytes content(const TableIo& io, std::span<const core::Value> values = {}) const;

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> columns_;  // id, hash
};

/// Finds the rows whose identity is ours again: at their place with what they held; else by what
/// they held; else at their place with some of it.
class Returning {
 public:
  Returning(Connection& db, TableIo& io);
  /// The identity that the row at this place has.
  std::optional<core::Identity> at(std::int64_t rowid) const;

 private:
  void match(Connection& db, TableIo& io, std::map<core::Identity, Likeness> rows);

  std::map<std::int64_t, core::Identity> found_;
};

}  // namespace mycelial::storage
