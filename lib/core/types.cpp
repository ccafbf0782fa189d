// SPDX-License-Identifier: Apache-2.0
#include "core/types.hpp"

#include <algorithm>
#include <bit>

namespace mycelial::core {

Site Site::from(ByteView in) {
  Site out;
  if (in.size() == out.bytes.size()) {
    std::copy_n(in.begin(), in.size(), reinterpret_cast<char*>(out.bytes.data()));
  }
  return out;
}

Value Value::of_real(double v) {
  return {Type::real, std::bit_cast<std::int64_t>(v == 0.0 ? 0.0 : v), {}};
}

double Value::real() const {
  return std::bit_cast<double>(integer);
}

Hash Schema::hash() const {
  Bytes all;
  put_varint(all, columns.size());
  for (const auto& column : columns) put_prefixed(all, column);
  for (const auto k : key) put_varint(all, k);
  if (!policies.empty()) put_varint(all, columns.size());  // no key names such a column
  for (const auto& policy : policies) {
    put_varint(all, policy.column);
    put_varint(all, policy.at_ms);
    put_varint(all, policy.seen_ms);
    put_prefixed(all, policy.name);
  }
  return hash_parts({"mycelial schema 1", table, all});
}

}  // namespace mycelial::core
