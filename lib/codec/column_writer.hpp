// SPDX-License-Identifier: Apache-2.0
// Gathers the values of one column of a block and picks their shortest coding.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "core/types.hpp"

namespace mycelial::codec {

class ColumnWriter {
 public:
  void add(const core::Value& value);
  /// Appends mode and values; nothing when every value is NULL.
  void finish(Bytes& out) const;
  bool only_nulls() const { return !mixed() && (types_.empty() || types_[0] == 0); }
  std::size_t bytes() const { return bytes_; }  ///< Roughly.

 private:
  bool mixed() const { return mixed_; }
  void put_texts(Bytes& out, bool dictionary_allowed, std::uint8_t& mode) const;

  std::vector<std::uint64_t> types_;
  std::vector<std::uint64_t> integers_;
  std::vector<double> reals_;
  std::vector<std::uint64_t> sizes_;
  Bytes data_;
  std::size_t bytes_ = 0;
  bool mixed_ = false;
};

}  // namespace mycelial::codec
