// SPDX-License-Identifier: Apache-2.0
// 128-bit BLAKE2b (RFC 7693): names change sets, chains them, and sums rows into digests.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

#include "base/bytes.hpp"

namespace mycelial {

struct Hash {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Hash&) const = default;
  bool is_zero() const { return *this == Hash{}; }
  ByteView view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  std::string hex() const { return to_hex(view()); }
  /// Shorter input is padded with zeros, longer is cut.
  static Hash from(ByteView in);
};

/// BLAKE2b-128 of the parts, each preceded by its length so that no two lists collide.
Hash hash_parts(std::initializer_list<ByteView> parts);

}  // namespace mycelial

template <>
struct std::hash<mycelial::Hash> {
  std::size_t operator()(const mycelial::Hash& h) const noexcept {
    return std::hash<std::string_view>()(h.view());
  }
};
