// SPDX-License-Identifier: Apache-2.0
// Number lists (docs/wire.md): varints with run lengths. A list of zeros takes no bytes at all.
#pragma once

#include <span>

#include "base/bytes.hpp"

namespace mycelial::codec {

/// Appends the list. Its count travels elsewhere.
void put_numbers(Bytes& out, std::span<const std::uint64_t> numbers);

/// Reads a list one number at a time; after a failure every number is zero and ok() is false.
class NumberReader {
 public:
  NumberReader() = default;
  explicit NumberReader(ByteView in) : at_(in.data()), end_(in.data() + in.size()) {
    zeros_ = in.empty();
  }

  std::uint64_t next() {
    if (runs_ > 0) {
      --runs_;
      return value_;
    }
    if (literals_ > 0) {
      --literals_;
      return varint();
    }
    return zeros_ ? 0 : next_group();
  }
  bool ok() const { return ok_; }
  /// Nothing is left over.
  bool done() const { return ok_ && at_ == end_ && runs_ == 0 && literals_ == 0; }

 private:
  std::uint64_t next_group() {
    const std::uint64_t head = varint();
    if (!ok_) return 0;
    const std::uint64_t more = head >> 1;  // One less than the count.
    value_ = varint();
    if ((head & 1) != 0) {
      runs_ = more;
    } else {
      literals_ = more;
    }
    return value_;
  }
  std::uint64_t varint() {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      return static_cast<std::uint8_t>(*at_++);
    }
    ByteReader slow(ByteView(at_, static_cast<std::size_t>(end_ - at_)));
    const std::uint64_t v = slow.varint();
    if (!slow.ok()) {
      ok_ = false;
      zeros_ = true;
      runs_ = literals_ = 0;
      return 0;
    }
    at_ = end_ - slow.left();
    return v;
  }

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::uint64_t runs_ = 0, literals_ = 0, value_ = 0;
  bool zeros_ = true;
  bool ok_ = true;
};

}  // namespace mycelial::codec
