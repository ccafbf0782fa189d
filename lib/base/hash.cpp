// SPDX-License-Identifier: Apache-2.0
#include "base/hash.hpp"

#include <blake2.h>

#include <algorithm>

namespace mycelial {

Hash Hash::from(ByteView in) {
  Hash out;
  std::copy_n(in.begin(), std::min(in.size(), out.bytes.size()),
              reinterpret_cast<char*>(out.bytes.data()));
  return out;
}

Hash hash_parts(std::initializer_list<ByteView> parts) {
  blake2b_state state;
  Hash out;
  blake2b_init(&state, out.bytes.size());
  for (const ByteView part : parts) {
    Bytes length;
    put_varint(length, part.size());
    blake2b_update(&state, reinterpret_cast<const std::uint8_t*>(length.data()), length.size());
    blake2b_update(&state, reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
  }
  blake2b_final(&state, out.bytes.data(), out.bytes.size());
  return out;
}

}  // namespace mycelial
