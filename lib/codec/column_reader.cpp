// SPDX-License-Identifier: Apache-2.0
#include "codec/column_reader.hpp"

#include "core/policy/part.hpp"

namespace mycelial::codec {

ColumnReader::ColumnReader(ByteView in) {
  ByteReader reader(in);
  const std::uint8_t mode = reader.byte();
  type_ = mode & column_mode::type_mask;
  mixed_ = type_ == column_mode::mixed;
  const int real = mode >> column_mode::real_at;
  decimal_ = real != column_mode::real_raw;
  ok_ = mixed_ || (type_ != 0 && type_ <= static_cast<std::uint64_t>(core::Value::Type::part) &&
                   type_ != static_cast<std::uint64_t>(core::Value::Type::in_table));
  if (decimal_) {
    const int digits = real - column_mode::real_decimal;
    if (digits > column_mode::digits_max) {
      ok_ = false;
    } else {
      scale_ = kPowersOfTen[static_cast<std::size_t>(digits)];
    }
  }
  const auto section = [&](bool last) {
    return last ? reader.bytes(reader.left()) : reader.prefixed();
  };
  if (mixed_) types_ = NumberReader(section(false));
  if (mixed_ || type_ == static_cast<std::uint64_t>(core::Value::Type::integer)) {
    difference_ = (mode & column_mode::difference) != 0;
    integers_ = NumberReader(section(!mixed_));
  }
  if (mixed_ || type_ == static_cast<std::uint64_t>(core::Value::Type::real)) {
    const ByteView reals = section(!mixed_);
    if (decimal_) {
      decimals_ = NumberReader(reals);
    } else {
      raw_ = ByteReader(reals);
    }
  }
  if (mixed_ || type_ >= static_cast<std::uint64_t>(core::Value::Type::text)) {
    dictionary_ = !mixed_ && (mode & column_mode::dictionary) != 0;
    if (dictionary_) {
      read_dictionary(reader);
    } else {
      sizes_ = NumberReader(section(false));
      data_ = section(true);
    }
  }
  if (!reader.ok() || !reader.at_end()) ok_ = false;
}

void ColumnReader::read_dictionary(ByteReader& in) {
  const std::uint64_t count = in.varint();
  NumberReader sizes(in.prefixed());
  sizes_ = NumberReader(in.prefixed());
  ByteReader texts(in.bytes(in.left()));
  bool empty_seen = false;
  for (std::uint64_t i = 0; i < count && ok_; ++i) {
    const std::uint64_t size = sizes.next();
    entries_.push_back(texts.bytes(size));
    // Entries differ, so at most one is empty: memory stays proportional to the input.
    if (!texts.ok() || (size == 0 && empty_seen)) ok_ = false;
    empty_seen = empty_seen || size == 0;
  }
  if (!sizes.done() || !texts.at_end()) ok_ = false;
}

core::Value ColumnReader::next_part() {
  const ByteView bytes = next_text();
  if (core::get_part(bytes)) return core::Value::part(bytes);
  ok_ = false;  // the rows of a block are applied before the block is refused
  return {};
}

core::Value ColumnReader::next_real() {
  double v = 0;
  if (decimal_) {
    last_decimal_ += static_cast<std::uint64_t>(unzigzag(decimals_.next()));
    v = static_cast<double>(static_cast<std::int64_t>(last_decimal_)) / scale_;
  } else {
    std::uint64_t bits = 0;
    const ByteView raw = raw_.bytes(8);
    if (raw.size() != 8) ok_ = false;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      bits |= std::uint64_t{static_cast<std::uint8_t>(raw[i])} << (8 * i);
    }
    v = std::bit_cast<double>(bits);
    if (std::isnan(v)) ok_ = false;  // SQLite holds none; it would become NULL here and not there.
  }
  return core::Value::of_real(v);
}

}  // namespace mycelial::codec
