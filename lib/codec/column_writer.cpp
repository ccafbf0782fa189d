// SPDX-License-Identifier: Apache-2.0
#include "codec/column_writer.hpp"

#include <bit>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "codec/block_format.hpp"
#include "codec/fields.hpp"
#include "codec/numbers.hpp"

namespace mycelial::codec {

namespace {

using core::Value;
using Numbers = std::vector<std::uint64_t>;

std::int64_t signed_of(std::uint64_t v) {
  return static_cast<std::int64_t>(v);
}

/// Each number less the one before, modulo 2^64.
Numbers differences(const Numbers& in) {
  Numbers out;
  out.reserve(in.size());
  std::uint64_t last = 0;
  for (const auto v : in) {
    out.push_back(zigzag(signed_of(v - last)));
    last = v;
  }
  return out;
}

/// The shorter of plain and differences; true if the latter.
bool put_integers(Bytes& out, const Numbers& in) {
  Numbers plain;
  plain.reserve(in.size());
  for (const auto v : in) plain.push_back(zigzag(signed_of(v)));
  const std::size_t start = out.size();
  put_numbers(out, plain);
  if (in.size() < 2) return false;
  Bytes other;
  put_numbers(other, differences(in));
  if (other.size() >= out.size() - start) return false;
  out.resize(start);
  out.append(other);
  return true;
}

/// The integer that gives exactly `v` when divided by `scale`.
std::optional<std::int64_t> scaled(double v, double scale) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  const double product = std::nearbyint(v * scale);
  if (!(std::abs(product) <= kExactMax)) return {};
  const auto integer = static_cast<std::int64_t>(product);
  const double back = static_cast<double>(integer) / scale;
  if (std::bit_cast<std::uint64_t>(back) != std::bit_cast<std::uint64_t>(v)) return {};
  return integer;
}

/// Reals with few digits after the point are integers in disguise.
std::optional<int> digits_of(const std::vector<double>& reals, Numbers& integers) {
  for (int digits = 0; digits <= column_mode::digits_max; ++digits) {
    integers.clear();
    for (const double v : reals) {
      const auto integer = scaled(v, kPowersOfTen[static_cast<std::size_t>(digits)]);
      if (!integer) break;
      integers.push_back(static_cast<std::uint64_t>(*integer));
    }
    if (integers.size() == reals.size()) return digits;
  }
  return {};
}

/// Appends the reals and gives their coding.
std::uint8_t put_reals(Bytes& out, const std::vector<double>& reals) {
  Numbers integers;
  if (const auto digits = digits_of(reals, integers)) {
    Bytes packed;
    put_numbers(packed, differences(integers));
    if (packed.size() < reals.size() * 8) {
      out.append(packed);
      return static_cast<std::uint8_t>(column_mode::real_decimal + *digits);
    }
  }
  for (const double v : reals) {
    auto bits = std::bit_cast<std::uint64_t>(v);
    for (int i = 0; i < 8; ++i, bits >>= 8) out.push_back(static_cast<char>(bits & 0xff));
  }
  return column_mode::real_raw;
}

}  // namespace

void ColumnWriter::add(const Value& value) {
  auto type = value.type;
  // SQLite has no NaN, and values still in a table cannot travel.
  if (type == Value::Type::in_table || (type == Value::Type::real && std::isnan(value.real()))) {
    type = Value::Type::null;
  }
  switch (type) {
    case Value::Type::integer:
      integers_.push_back(static_cast<std::uint64_t>(value.integer));
      bytes_ += 4;
      break;
    case Value::Type::real:
      reals_.push_back(value.real() == 0.0 ? 0.0 : value.real());
      bytes_ += 8;
      break;
    case Value::Type::text:
    case Value::Type::blob:
    case Value::Type::part:
      sizes_.push_back(value.bytes.size());
      data_.append(value.bytes);
      bytes_ += value.bytes.size() + 1;
      break;
    default:
      break;
  }
  const auto number = static_cast<std::uint64_t>(type);
  if (!types_.empty() && types_[0] != number) mixed_ = true;
  types_.push_back(number);
}

void ColumnWriter::put_texts(Bytes& out, bool dictionary_allowed, std::uint8_t& mode) const {
  Bytes sizes;
  put_numbers(sizes, sizes_);
  if (dictionary_allowed && sizes_.size() >= 8) {
    std::unordered_map<ByteView, std::uint64_t> index;
    Numbers indexes;
    Numbers entry_sizes;
    Bytes entries;
    std::size_t at = 0;
    for (const auto size : sizes_) {
      const ByteView text = ByteView(data_).substr(at, size);
      at += size;
      const auto [found, fresh] = index.try_emplace(text, index.size());
      if (fresh) {
        entry_sizes.push_back(size);
        entries.append(text);
        // Mostly different: a dictionary would not pay.
        if (index.size() > 16 && index.size() * 2 > indexes.size()) break;
      }
      indexes.push_back(found->second);
    }
    if (indexes.size() == sizes_.size()) {
      Bytes packed;
      put_varint(packed, entry_sizes.size());
      Bytes section;
      put_numbers(section, entry_sizes);
      put_prefixed(packed, section);
      section.clear();
      put_numbers(section, indexes);
      put_prefixed(packed, section);
      packed.append(entries);
      if (packed.size() < sizes.size() + varint_bytes(sizes.size()) + data_.size()) {
        mode |= column_mode::dictionary;
        out.append(packed);
        return;
      }
    }
  }
  put_prefixed(out, sizes);
  out.append(data_);
}

void ColumnWriter::finish(Bytes& out) const {
  if (only_nulls()) return;
  Bytes rest;
  auto mode = static_cast<std::uint8_t>(mixed_ ? column_mode::mixed : types_[0]);
  if (mixed_) {
    Bytes section;
    put_numbers(section, types_);
    put_prefixed(rest, section);
    section.clear();
    if (put_integers(section, integers_)) mode |= column_mode::difference;
    put_prefixed(rest, section);
    section.clear();
    mode |= static_cast<std::uint8_t>(put_reals(section, reals_) << column_mode::real_at);
    put_prefixed(rest, section);
    put_texts(rest, false, mode);
  } else if (!integers_.empty()) {
    if (put_integers(rest, integers_)) mode |= column_mode::difference;
  } else if (!reals_.empty()) {
    mode |= static_cast<std::uint8_t>(put_reals(rest, reals_) << column_mode::real_at);
  } else {
    put_texts(rest, true, mode);
  }
  out.push_back(static_cast<char>(mode));
  out.append(rest);
}

}  // namespace mycelial::codec
