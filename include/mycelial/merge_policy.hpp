// SPDX-License-Identifier: Apache-2.0
// MergePolicy: how a program merges concurrent writes of a column in a way of its own.
// Stability: unstable until 1.0.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace mycelial {

/// A value as SQLite has it. Owns its bytes.
struct SqlValue {
  enum class Type : std::uint8_t { null = 0, integer = 1, real = 2, text = 3, blob = 4 };
  Type type = Type::null;
  std::int64_t integer = 0;
  double real = 0;
  std::string bytes;  ///< Of text and blob.

  static SqlValue null() { return {}; }
  static SqlValue of(std::int64_t v) { return {Type::integer, v, 0, {}}; }
  static SqlValue of_real(double v) { return {Type::real, 0, v, {}}; }
  static SqlValue text(std::string v) { return {Type::text, 0, 0, std::move(v)}; }
  static SqlValue blob(std::string v) { return {Type::blob, 0, 0, std::move(v)}; }
  friend bool operator==(const SqlValue&, const SqlValue&) = default;
};

/// What one site has made of a column.
struct PolicyVersion {
  SqlValue value;
  std::uint64_t time_ms = 0;  ///< When it was written, milliseconds since 1970, by hybrid clock.
  std::string site;           ///< Hexadecimal site id of the writer.
};

/// Makes one value of two. A column under a custom policy keeps, for every site that writes to it,
/// the site's own value; what the table shows is the merge of all of them, in the order of their
/// writes, and so the same everywhere. A site's new value is merged with its previous one.
///
/// merge() should be commutative (the places of its arguments mean nothing), associative and
/// idempotent: mycelial/testing/policy_kit.hpp checks that.
///
/// Threads: called on the replica's executor, one call at a time per replica; must not call into
/// it. Errors: an exception poisons the replica, which then stops syncing and says why in status();
/// the application's writes go on being captured, and nothing is lost.
class MergePolicy {
 public:
  virtual ~MergePolicy() = default;
  /// What replicas call it, the same on all and for good: give a changed policy another name, such
  /// as "longest/2". 1 to 64 of a-z 0-9 _ - . /; not the name of a built-in one.
  virtual std::string name() const = 0;
  /// Pure: equal arguments give equal values, in every process. A real must not be NaN.
  virtual SqlValue merge(const PolicyVersion& a, const PolicyVersion& b) const = 0;
};

}  // namespace mycelial
