// SPDX-License-Identifier: Apache-2.0
// Merge policies: what a column shows of the versions that its registers hold, and which versions a
// local write makes. Pure; docs/policies.md says what each is for.
//
// Registers merge by themselves, the same under every policy (row.hpp). So replicas that hold the
// same sets hold the same registers, and a policy is a function from these to the value shown.
#pragma once

#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/row.hpp"

namespace mycelial::core {

/// A value that owns its bytes.
class OwnedValue {
 public:
  OwnedValue() = default;
  explicit OwnedValue(const Value& v) : value_(v), bytes_(v.bytes) {}
  static OwnedValue text(Bytes bytes) { return OwnedValue(Value::Type::text, std::move(bytes)); }
  /// Lives as long as this.
  Value view() const { return {value_.type, value_.integer, bytes_}; }

 private:
  OwnedValue(Value::Type type, Bytes bytes) : value_{type, 0, {}}, bytes_(std::move(bytes)) {}
  Value value_;
  Bytes bytes_;
};

/// A version as policies see it.
struct Candidate {
  Value value;
  Stamp stamp;
  Site site;
};

/// A policy that a program brings along.
class Merger {
 public:
  virtual ~Merger() = default;
  /// Of two values, the earlier written first. May throw: then nothing merges any more.
  virtual OwnedValue merge(const Candidate& earlier, const Candidate& later) const = 0;
};

struct Policy {
  enum class Kind : std::uint8_t { lww, fww, max, min, counter, set, json, custom };
  Kind kind = Kind::lww;
  const Merger* merger = nullptr;  ///< Of a custom one.
};

/// A built-in policy by its name: "lww", "fww", "max", "min", "counter", "set", "json".
std::optional<Policy::Kind> policy_named(std::string_view name);

/// What the column shows; nothing if nobody has written to it.
std::optional<OwnedValue> shown_value(const Policy& policy, const Row& row, std::uint32_t column,
                                      const Ranks& ranks);

/// A local write of one column of a row.
struct PolicyWrite {
  const Policy& policy;
  const Row& before;  ///< Empty if this is a new life.
  std::uint32_t column = 0;
  Origin author = 0;
  Hlc time = 0;
  bool changed = true;  ///< False: an upsert that leaves the column alone.
  bool upsert = false;  ///< Carries along all versions.
  Value value;          ///< As the table has it.
  Value fallback;       ///< What the column shows when nobody has written to it.
};
/// Appends what the set carries of the column. Made bytes go to `bytes`.
void write_column(const PolicyWrite& write, const Ranks& ranks, std::deque<Bytes>& bytes,
                  std::vector<LocalWrite::Written>& out);

}  // namespace mycelial::core
