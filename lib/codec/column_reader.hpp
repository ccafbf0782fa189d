// SPDX-License-Identifier: Apache-2.0
// Hands out the values of one column of a block in order. Texts and blobs view the input.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "codec/block_format.hpp"
#include "codec/numbers.hpp"
#include "core/types.hpp"

namespace mycelial::codec {

class ColumnReader {
 public:
  /// A column without values: all NULL.
  ColumnReader() = default;
  /// `in` starts with the mode byte.
  explicit ColumnReader(ByteView in);

  core::Value next() {
    const std::uint64_t type = mixed_ ? types_.next() : type_;
    switch (static_cast<core::Value::Type>(type)) {
      case core::Value::Type::null:
        return {};
      case core::Value::Type::integer:
        return core::Value::of(next_integer());
      case core::Value::Type::real:
        return next_real();
      case core::Value::Type::text:
        return core::Value::text(next_text());
      case core::Value::Type::blob:
        return core::Value::blob(next_text());
      case core::Value::Type::part:
        return next_part();
      default:
        ok_ = false;
        return {};
    }
  }
  bool ok() const { return ok_ && types_.ok() && integers_.ok() && decimals_.ok() && sizes_.ok(); }
  /// Every byte has been used.
  bool done() const {
    return ok() && types_.done() && integers_.done() && decimals_.done() && sizes_.done() &&
           raw_.at_end() && (dictionary_ || data_.empty());
  }

 private:
  std::int64_t next_integer() {
    const std::int64_t v = unzigzag(integers_.next());
    if (!difference_) return v;
    last_integer_ += static_cast<std::uint64_t>(v);
    return static_cast<std::int64_t>(last_integer_);
  }
  core::Value next_real();
  core::Value next_part();
  ByteView next_text() {
    const std::uint64_t n = sizes_.next();
    if (dictionary_) {
      if (n < entries_.size()) return entries_[n];
      ok_ = false;
      return {};
    }
    if (n > data_.size()) {
      ok_ = false;
      return {};
    }
    const ByteView out = data_.substr(0, n);
    data_.remove_prefix(n);
    return out;
  }
  void read_dictionary(ByteReader& in);

  std::uint64_t type_ = 0;
  bool mixed_ = false, difference_ = false, dictionary_ = false, decimal_ = false, ok_ = true;
  double scale_ = 1;
  std::uint64_t last_integer_ = 0, last_decimal_ = 0;
  NumberReader types_, integers_, decimals_, sizes_;
  ByteReader raw_{{}};
  ByteView data_;
  std::vector<ByteView> entries_;
};

}  // namespace mycelial::codec
