// SPDX-License-Identifier: Apache-2.0
#include "codec/numbers.hpp"

#include <algorithm>

namespace mycelial::codec {

namespace {

// A shorter run costs more in group headers than it saves.
constexpr std::size_t kRunMin = 4;

void put_literals(Bytes& out, std::span<const std::uint64_t> numbers) {
  if (numbers.empty()) return;
  put_varint(out, (numbers.size() - 1) << 1);
  for (const auto n : numbers) put_varint(out, n);
}

}  // namespace

void put_numbers(Bytes& out, std::span<const std::uint64_t> numbers) {
  if (std::ranges::all_of(numbers, [](std::uint64_t n) { return n == 0; })) return;
  std::size_t literal = 0;  // First number not written yet.
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[i]) ++end;
    if (end - i >= kRunMin) {
      put_literals(out, numbers.subspan(literal, i - literal));
      put_varint(out, ((end - i - 1) << 1) | 1);
      put_varint(out, numbers[i]);
      literal = end;
    }
    i = end;
  }
  put_literals(out, numbers.subspan(literal));
}

}  // namespace mycelial::codec
