// SPDX-License-Identifier: Apache-2.0
#include "micro/rows.hpp"

namespace mycelial::bench {
namespace {

core::Cell cell(std::uint32_t column, std::uint64_t salt) {
  static const std::string kTexts[] = {"north", "south", "east", "west"};
  const auto v = salt * 0x9e3779b97f4a7c15 >> 40;
  switch (column % 4) {
    case 0:
      return {column, 0, core::Value::of(static_cast<std::int64_t>(salt))};
    case 1:
      return {column, 0, core::Value::of_real(static_cast<double>(v) / 1e4)};
    case 2:
      return {column, 0, core::Value::text(kTexts[v % 4])};
    default:
      return {column, 0, core::Value::of(static_cast<std::int64_t>(v % 100))};
  }
}

}  // namespace

core::Schema wide_schema() {
  core::Schema out{"t", {}, {0}};
  for (std::uint32_t i = 0; i < kColumns; ++i) out.columns.push_back("c" + std::to_string(i));
  return out;
}

core::Row whole_row(std::uint64_t seq, std::uint64_t ms, std::uint64_t salt) {
  core::Row out;
  out.births = {{1, seq}};
  out.writes = {{{1, seq}, {core::hlc_from_ms(ms), 1, seq}, out.births}};
  for (std::uint32_t c = 0; c < kColumns; ++c) out.cells.push_back(cell(c, salt));
  return out;
}

core::Row update_of(core::Mark birth, core::Origin origin, std::uint64_t seq, std::uint64_t ms,
                    std::uint32_t columns) {
  core::Row out;
  out.writes = {{{origin, seq}, {core::hlc_from_ms(ms), origin, seq}, {birth}}};
  for (std::uint32_t c = 1; c <= columns; ++c) out.cells.push_back(cell(c, seq));
  return out;
}

std::vector<core::RowPiece> pieces(std::size_t count) {
  std::vector<core::RowPiece> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i].identity = "K\x01";
    put_varint(out[i].identity, zigzag(static_cast<std::int64_t>(i)));
    out[i].row = whole_row(7, 1'700'000'000'000 + i, i);
  }
  return out;
}

std::vector<core::Stream> streams(std::size_t count) {
  std::vector<core::Stream> out(count + 1);
  for (std::size_t i = 1; i <= count; ++i) {
    for (std::size_t b = 0; b < 16; ++b) {
      out[i].site.bytes[b] = static_cast<std::uint8_t>(i * 37 + b * 11 + (i >> 8));
    }
  }
  return out;
}

}  // namespace mycelial::bench
