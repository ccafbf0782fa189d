// SPDX-License-Identifier: Apache-2.0
// The registers of one column of one row, each with the version that wins.
#pragma once

#include <vector>

#include "core/policy/part.hpp"
#include "core/policy/policy.hpp"

namespace mycelial::core {

struct Register {
  std::optional<Part::Kind> kind;  ///< None: a plain value, by last-writer-wins.
  ByteView name;
  Value value;
  Stamp stamp;
};

/// In the order of stamps.
std::vector<Register> registers_of(const Row& row, std::uint32_t column, const Ranks& ranks);
/// The plain one, or null.
const Register* plain_of(const std::vector<Register>& registers);

/// Whether SQLite holds the values equal, and the order that it sorts them in (BINARY).
int compare_values(const Value& a, const Value& b);
/// Numbers, and anything else as 0. Integers wrap around.
Value sum(const Value& a, const Value& b);
Value difference(const Value& a, const Value& b);
bool is_number(const Value& v);

OwnedValue shown_set(const std::vector<Register>& registers);
OwnedValue shown_object(const std::vector<Register>& registers);
void write_set(const PolicyWrite& write, const std::vector<Register>& registers,
               std::deque<Bytes>& bytes, std::vector<LocalWrite::Written>& out);
void write_object(const PolicyWrite& write, const std::vector<Register>& registers,
                  std::deque<Bytes>& bytes, std::vector<LocalWrite::Written>& out);
/// A part for a LocalWrite.
Value made_part(std::deque<Bytes>& bytes, Part::Kind kind, ByteView name, const Value& value);

}  // namespace mycelial::core
