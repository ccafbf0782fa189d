// SPDX-License-Identifier: Apache-2.0
// The protobuf wire format, without copying: units and blocks are read as views of their input.
#pragma once

#include "base/bytes.hpp"

namespace mycelial::codec {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  std::uint64_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t value = 0;  ///< Of a varint.
  ByteView bytes;           ///< Of bytes.
};

/// Walks the fields of a message; ok() tells whether the end was reached cleanly.
class FieldReader {
 public:
  explicit FieldReader(ByteView in) : in_(in) {}
  bool ok() const { return ok_ && in_.ok(); }

  bool next(Field& out) {
    if (in_.at_end() || !ok()) return false;
    const std::uint64_t tag = in_.varint();
    out = {tag >> 3, static_cast<WireType>(tag & 7), 0, {}};
    switch (out.type) {
      case WireType::varint:
        out.value = in_.varint();
        break;
      case WireType::fixed64:
        in_.bytes(8);
        break;
      case WireType::bytes:
        out.bytes = in_.prefixed();
        break;
      case WireType::fixed32:
        in_.bytes(4);
        break;
      default:
        ok_ = false;
    }
    if (out.number == 0) ok_ = false;
    return ok();
  }

 private:
  ByteReader in_;
  bool ok_ = true;
};

inline void put_tag(Bytes& out, std::uint32_t number, WireType type) {
  put_varint(out, (std::uint64_t{number} << 3) | static_cast<std::uint8_t>(type));
}
/// Like protobuf, fields that are zero or empty are left out.
inline void put_varint_field(Bytes& out, std::uint32_t number, std::uint64_t value) {
  if (value == 0) return;
  put_tag(out, number, WireType::varint);
  put_varint(out, value);
}
inline void put_bytes_field(Bytes& out, std::uint32_t number, ByteView value) {
  if (value.empty()) return;
  put_tag(out, number, WireType::bytes);
  put_prefixed(out, value);
}

constexpr std::size_t varint_bytes(std::uint64_t v) {
  std::size_t n = 1;
  while (v >= 0x80) {
    v >>= 7;
    ++n;
  }
  return n;
}

}  // namespace mycelial::codec
