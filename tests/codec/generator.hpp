// SPDX-License-Identifier: Apache-2.0
// Random messages, headers and rows from a seed.
#pragma once

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "core/message.hpp"
#include "core/types.hpp"

namespace mycelial::testing {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t number() { return random_(); }
  /// 0..n-1.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  /// Small and large magnitudes alike, up to 63 bits.
  std::uint64_t seq() { return (random_() >> 1) >> below(63); }
  Bytes bytes(std::size_t max);

  core::Site site();
  core::Stream stream();
  Hash hash();
  std::vector<std::pair<core::Stream, core::Tip>> tips(std::size_t max);
  core::Message message();
  core::Header header();

  core::Schema schema(std::size_t columns);
  std::vector<core::Stream> origins(std::size_t count);
  /// Values view memory of this generator.
  core::Value value(std::size_t kind);
  core::RowPiece wild_row(std::size_t columns, std::size_t origins);
  /// Rows as local writes make them: one set, all or the same few columns.
  std::vector<core::RowPiece> plain_rows(std::size_t count, std::size_t columns, bool update);

 private:
  core::Marks marks(std::size_t origins, std::size_t max);

  std::mt19937_64 random_;
  std::deque<Bytes> texts_;
};

}  // namespace mycelial::testing
