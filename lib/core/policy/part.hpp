// SPDX-License-Identifier: Apache-2.0
// What a merge policy keeps of a column: several registers side by side instead of one. A part is a
// Value (Type::part) that names its register and holds the register's value, so that rows are
// joined, stored and sent without anybody knowing which policy a column has.
#pragma once

#include <optional>

#include "core/types.hpp"

namespace mycelial::core {

struct Part {
  enum class Kind : std::uint8_t {
    site = 1,     ///< What one site has contributed; one register per site. No name.
    element = 2,  ///< Whether a site has put an element into a set: 1 or NULL. Name: the element.
    member = 3,   ///< A member of a JSON object, or NULL: taken out. Name: its key.
  };
  Kind kind = Kind::site;
  ByteView name;
  Value value;
};

/// Appends the encoded part to `out`.
void put_part(Bytes& out, const Part& part);
/// Nothing if the bytes are no part.
std::optional<Part> get_part(ByteView in);
/// The value of a register: `value` itself, or what the part holds.
Value plain(const Value& value);

/// True if some column of the row has parts.
bool has_parts(const Row& row);

/// True if the two cells of one column are versions of one register.
bool same_register(const Value& a, Origin a_author, const Value& b, Origin b_author);
/// Brings versions of one register together; any strict weak order would do.
bool register_less(const Value& a, Origin a_author, const Value& b, Origin b_author);
/// True if `a` and `b`, of one stamp and one register, were written as "in" and "out of the set":
/// taking out names the stamp that it takes out, and wins.
bool takes_out(const Value& a, const Value& b);

}  // namespace mycelial::core
