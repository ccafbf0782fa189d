// SPDX-License-Identifier: Apache-2.0
// Numbers that writers and readers of blocks share; docs/wire.md has the words.
#pragma once

#include <array>
#include <cstdint>

namespace mycelial::codec {

namespace item_field {
constexpr std::uint32_t schema = 1, block = 2, overruled = 3;
}
namespace schema_field {
constexpr std::uint32_t table = 1, columns = 2, key = 3, formerly = 4, policies = 5;
}
namespace overruled_field {
constexpr std::uint32_t table = 1, identity = 2, column = 3, kind = 4, value = 5, winner = 6,
                        rule = 7, at = 8;
}
namespace block_field {
constexpr std::uint32_t schema = 1, rows = 2, origins = 3, identity_shared = 4, identity_rest = 5,
                        identities = 6, lives = 7, times = 8, counters = 9, patterns = 10,
                        pattern_of = 11, columns = 12;
}

/// A life: flags, then what they ask for.
namespace life {
constexpr std::uint64_t repeats = 1 << 2;  ///< A count follows: so many more rows are the same.
constexpr int writes_at = 0, births_at = 3, dead_at = 5, killers_at = 7;
enum class List : std::uint8_t { none = 0, one = 1, many = 2, same = 3 };
/// For writes, code 3 is one write of the usual kind.
constexpr std::uint8_t usual_write = 3;
}  // namespace life

namespace write_flag {
constexpr std::uint8_t carrier_mask = 3, carrier_explicit = 0, carrier_last = 1, carrier_birth = 2;
constexpr std::uint8_t stamp_is_carrier = 1 << 2, targets_are_births = 1 << 3, time_zero = 1 << 4;
constexpr std::uint8_t usual = carrier_last | stamp_is_carrier | targets_are_births;
}  // namespace write_flag

/// A column's mode byte: bits 0-2 the type of all its values, or mixed; bit 3 integers are
/// differences (or: texts come from a dictionary); bits 4-7 how reals are coded.
namespace column_mode {
constexpr std::uint8_t type_mask = 7, mixed = 7, difference = 1 << 3, dictionary = 1 << 3;
constexpr int real_at = 4;
constexpr std::uint8_t real_raw = 0, real_decimal = 1;  ///< 1 + digits after the point.
constexpr int digits_max = 12;
}  // namespace column_mode

constexpr std::array<double, 13> kPowersOfTen = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                                 1e7, 1e8, 1e9, 1e10, 1e11, 1e12};

}  // namespace mycelial::codec
