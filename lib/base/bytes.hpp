// SPDX-License-Identifier: Apache-2.0
// Byte strings, varints and hexadecimal: the vocabulary of every format of ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mycelial {

/// A byte string. Never assumed to be text or to end in NUL.
using Bytes = std::string;
using ByteView = std::string_view;

constexpr std::size_t kVarintBytes = 10;  ///< At most.

/// Writes v as a LEB128 varint at `to`; gives the place behind it.
inline char* write_varint(char* to, std::uint64_t v) {
  for (; v >= 0x80; v >>= 7) *to++ = static_cast<char>(v | 0x80);
  *to++ = static_cast<char>(v);
  return to;
}

/// Appends v as a varint.
inline void put_varint(Bytes& out, std::uint64_t v) {
  if (v < 0x80) return out.push_back(static_cast<char>(v));
  char bytes[kVarintBytes];
  out.append(bytes, static_cast<std::size_t>(write_varint(bytes, v) - bytes));
}

/// Maps signed to unsigned so that small magnitudes stay small.
constexpr std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>((v >> 1) ^ (~(v & 1) + 1));
}

/// Reads from a byte string; after the first failure every read gives zero and ok() is false.
class ByteReader {
 public:
  explicit ByteReader(ByteView in) : in_(in) {}
  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }
  std::size_t left() const { return in_.size(); }

  std::uint64_t varint() {
    if (!in_.empty() && static_cast<std::uint8_t>(in_.front()) < 0x80) return byte();
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64 && !in_.empty(); shift += 7) {
      const auto b = static_cast<std::uint8_t>(in_.front());
      in_.remove_prefix(1);
      if (shift == 63 && b > 1) break;
      v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if (b < 0x80) return v;
    }
    return fail();
  }
  std::uint8_t byte() {
    if (in_.empty()) return static_cast<std::uint8_t>(fail());
    const auto b = static_cast<std::uint8_t>(in_.front());
    in_.remove_prefix(1);
    return b;
  }
  /// A view into the input.
  ByteView bytes(std::uint64_t n) {
    if (n > in_.size()) {
      fail();
      return {};
    }
    const ByteView out = in_.substr(0, n);
    in_.remove_prefix(n);
    return out;
  }
  /// A varint length, then that many bytes.
  ByteView prefixed() { return bytes(varint()); }

 private:
  std::uint64_t fail() {
    ok_ = false;
    in_ = {};
    return 0;
  }
  ByteView in_;
  bool ok_ = true;
};

inline void put_prefixed(Bytes& out, ByteView v) {
  put_varint(out, v.size());
  out.append(v);
}

inline std::string to_hex(ByteView in) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(in.size() * 2);
  for (const char c : in) {
    out.push_back(kDigits[static_cast<std::uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<std::uint8_t>(c) & 15]);
  }
  return out;
}

}  // namespace mycelial
