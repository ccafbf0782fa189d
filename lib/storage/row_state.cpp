// SPDX-License-Identifier: Apache-2.0
#include "storage/row_state.hpp"

#include <algorithm>

#include "storage/sqlite.hpp"

namespace mycelial::storage {
namespace {

using Type = core::Value::Type;

void put_marks(Bytes& out, const core::Marks& marks) {
  put_varint(out, marks.size());
  for (const auto& m : marks) {
    put_varint(out, m.origin);
    put_varint(out, m.seq);
  }
}

core::Marks get_marks(ByteReader& in) {
  core::Marks out(std::min<std::uint64_t>(in.varint(), in.left() / 2));
  for (auto& m : out) {
    m.origin = static_cast<core::Origin>(in.varint());
    m.seq = in.varint();
  }
  return out;
}

void put_value(Bytes& out, const core::Value& v) {
  out.push_back(static_cast<char>(v.type));
  switch (v.type) {
    case Type::integer:
    case Type::real:
      put_varint(out, zigzag(v.integer));
      break;
    case Type::text:
    case Type::blob:
      put_prefixed(out, v.bytes);
      break;
    case Type::null:
    case Type::in_table:
      break;
  }
}

core::Value get_value(ByteReader& in) {
  const auto type = static_cast<Type>(in.byte());
  switch (type) {
    case Type::integer:
    case Type::real:
      return {type, unzigzag(in.varint()), {}};
    case Type::text:
    case Type::blob:
      return {type, 0, in.prefixed()};
    default:
      return {type, 0, {}};
  }
}

/// The write that most columns share without a value of their own to keep.
std::uint32_t default_write(const core::Row& row) {
  std::vector<std::uint32_t> count(row.writes.size());
  for (const auto& c : row.cells) count[c.write] += c.value.type == Type::in_table ? 1 : 0;
  return static_cast<std::uint32_t>(std::max_element(count.begin(), count.end()) - count.begin());
}

enum WriteFlags : std::uint8_t { kStampIsCarrier = 1, kTargetsAreBirths = 2 };

}  // namespace

RowState pack_row(const core::Row& row) {
  RowState out;
  put_marks(out.shape, row.births);
  put_marks(out.shape, row.dead);
  put_marks(out.shape, row.killers);
  put_varint(out.shape, row.writes.size());
  for (const auto& w : row.writes) {
    const bool own = w.stamp.origin == w.carrier.origin && w.stamp.seq == w.carrier.seq;
    const bool all = w.targets == row.births;
    out.shape.push_back(
        static_cast<char>((own ? kStampIsCarrier : 0) | (all ? kTargetsAreBirths : 0)));
    put_varint(out.shape, w.carrier.origin);
    put_varint(out.shape, w.carrier.seq);
    if (!own) {
      put_varint(out.shape, w.stamp.origin);
      put_varint(out.shape, w.stamp.seq);
    }
    if (!all) put_marks(out.shape, w.targets);
    out.times.push_back(w.stamp.time);
  }
  if (row.writes.empty()) return out;
  const std::uint32_t common = default_write(row);
  put_varint(out.shape, common);
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const auto& c = row.cells[i];
    const bool alone = (i == 0 || row.cells[i - 1].column != c.column) &&
                       (i + 1 == row.cells.size() || row.cells[i + 1].column != c.column);
    if (alone && c.value.type == Type::in_table && c.write == common) continue;
    put_varint(out.shape, c.column);
    put_varint(out.shape, c.write);
    put_value(out.shape, c.value);
  }
  return out;
}

core::Row unpack_row(ByteView shape, std::span<const core::Hlc> times,
                     std::span<const std::uint32_t> columns) {
  core::Row row;
  ByteReader in(shape);
  row.births = get_marks(in);
  row.dead = get_marks(in);
  row.killers = get_marks(in);
  row.writes.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  for (std::size_t i = 0; i < row.writes.size(); ++i) {
    auto& w = row.writes[i];
    const auto flags = in.byte();
    w.carrier.origin = static_cast<core::Origin>(in.varint());
    w.carrier.seq = in.varint();
    w.stamp = {i < times.size() ? times[i] : 0, w.carrier.origin, w.carrier.seq};
    if (!(flags & kStampIsCarrier)) {
      w.stamp.origin = static_cast<core::Origin>(in.varint());
      w.stamp.seq = in.varint();
    }
    w.targets = flags & kTargetsAreBirths ? row.births : get_marks(in);
  }
  if (row.writes.empty()) return row;
  const auto common = static_cast<std::uint32_t>(in.varint());
  std::vector<core::Cell> named;
  while (in.ok() && !in.at_end()) {
    core::Cell c;
    c.column = static_cast<std::uint32_t>(in.varint());
    c.write = static_cast<std::uint32_t>(in.varint());
    c.value = get_value(in);
    named.push_back(c);
  }
  const auto bad = [&](const core::Cell& c) { return c.write >= row.writes.size(); };
  if (!in.ok() || common >= row.writes.size() || std::any_of(named.begin(), named.end(), bad)) {
    throw StorageError(Errc::corrupt, "a row's bookkeeping is damaged; run mycelial check");
  }
  row.cells.reserve(columns.size() + named.size());
  for (const std::uint32_t column : columns) {
    const auto here = std::find_if(named.begin(), named.end(),
                                   [&](const core::Cell& c) { return c.column == column; });
    if (here == named.end()) row.cells.push_back({column, common, core::Value::in_table()});
  }
  row.cells.insert(row.cells.end(), named.begin(), named.end());
  std::stable_sort(row.cells.begin(), row.cells.end(),
                   [](const core::Cell& a, const core::Cell& b) { return a.column < b.column; });
  return row;
}

}  // namespace mycelial::storage
