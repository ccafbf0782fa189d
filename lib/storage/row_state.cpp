// SPDX-License-Identifier: Apache-2.0
#include "storage/row_state.hpp"

#include <algorithm>
#include <array>

#include "storage/sqlite.hpp"

namespace mycelial::storage {
namespace {

using Type = core::Value::Type;

/// Writes marks as (origin, place of the sequence number in RowState::numbers).
class Packer {
 public:
  explicit Packer(RowState& out) : out_(out) {
    out.shape.clear();
    out.numbers.clear();
  }
  void mark(const core::Mark& m) {
    std::size_t i = 0;
    while (i < known_ && dots_[i] != m) ++i;
    if (i == known_) {
      i = out_.numbers.size();
      out_.numbers.push_back(m.seq);
      if (known_ == i && known_ < dots_.size()) dots_[known_++] = m;
    }
    put_varint(out_.shape, m.origin);
    put_varint(out_.shape, i);
  }
  void marks(const core::Marks& marks) {
    put_varint(out_.shape, marks.size());
    for (const auto& m : marks) mark(m);
  }

 private:
  RowState& out_;
  std::array<core::Mark, 8> dots_;  // the first ones: repeated further ones are spelled again
  std::size_t known_ = 0;
};

class Unpacker {
 public:
  explicit Unpacker(const RowState& state) : in(state.shape), numbers_(state.numbers) {}
  core::Mark mark() {
    const auto origin = static_cast<core::Origin>(in.varint());
    const auto place = in.varint();
    ok_ &= place < numbers_.size();
    seqs_ = std::max(seqs_, place + 1);
    return {origin, place < numbers_.size() ? numbers_[place] : 0};
  }
  void marks(core::Marks& out) {
    out.resize(std::min<std::uint64_t>(in.varint(), in.left() / 2));
    for (auto& m : out) m = mark();
  }
  /// Once all marks have been read.
  void times(std::vector<core::Write>& writes) {
    ok_ &= seqs_ + writes.size() == numbers_.size();
    for (std::size_t i = 0; ok_ && i < writes.size(); ++i)
      writes[i].stamp.time = numbers_[seqs_ + i];
  }
  bool ok() const { return ok_ && in.ok(); }

  ByteReader in;

 private:
  std::span<const std::uint64_t> numbers_;
  std::uint64_t seqs_ = 0;
  bool ok_ = true;
};

void put_value(Bytes& out, const core::Value& v) {
  out.push_back(static_cast<char>(v.type));
  switch (v.type) {
    case Type::integer:
    case Type::real:
      put_varint(out, zigzag(v.integer));
      break;
    case Type::text:
    case Type::blob:
    case Type::part:
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
    case Type::part:
      return {type, 0, in.prefixed()};
    default:
      return {type, 0, {}};
  }
}

/// The write that most columns share without a value of their own to keep.
std::uint32_t default_write(const core::Row& row) {
  if (row.writes.size() == 1) return 0;
  std::vector<std::uint32_t> count(row.writes.size());
  for (const auto& c : row.cells) count[c.write] += c.value.type == Type::in_table ? 1 : 0;
  return static_cast<std::uint32_t>(std::max_element(count.begin(), count.end()) - count.begin());
}

/// Names the columns that nobody has written to, with one write too many.
void put_unwritten(const core::Row& row, const ColumnSet& columns, Bytes& out) {
  const auto put_from = [&](const std::vector<std::uint32_t>& ids) {
    auto cell = row.cells.begin();
    for (const auto id : ids) {
      while (cell != row.cells.end() && cell->column < id) ++cell;
      if (cell != row.cells.end() && cell->column == id) continue;
      put_varint(out, id);
      put_varint(out, row.writes.size());
    }
  };
  put_from(columns.gaps);
  if (!row.cells.empty()) put_from(columns.ids);  // else one write covers them all
}

enum WriteFlags : std::uint8_t { kStampIsCarrier = 1, kTargetsAreBirths = 2 };

}  // namespace

ColumnSet column_set(std::vector<std::uint32_t> ids) {
  ColumnSet out;
  out.ids = std::move(ids);
  std::ranges::sort(out.ids);
  auto next = out.ids.begin();
  for (std::uint32_t id = 0; id < out.end(); ++id) {
    if (*next == id) {
      ++next;
    } else {
      out.gaps.push_back(id);
    }
  }
  return out;
}

void pack_row(const core::Row& row, const ColumnSet& columns, RowState& out) {
  Packer packer(out);
  packer.marks(row.births);
  packer.marks(row.dead);
  packer.marks(row.killers);
  put_varint(out.shape, row.writes.size());
  for (const auto& w : row.writes) {
    const core::Mark stamp{w.stamp.origin, w.stamp.seq};
    const bool own = stamp == w.carrier;
    const bool all = w.targets == row.births;
    out.shape.push_back(
        static_cast<char>((own ? kStampIsCarrier : 0) | (all ? kTargetsAreBirths : 0)));
    packer.mark(w.carrier);
    if (!own) packer.mark(stamp);
    if (!all) packer.marks(w.targets);
  }
  for (const auto& w : row.writes) out.numbers.push_back(w.stamp.time);
  if (row.writes.empty()) return;
  const std::uint32_t common = default_write(row);
  put_varint(out.shape, common);
  put_varint(out.shape, columns.end());
  put_unwritten(row, columns, out.shape);
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    const auto& c = row.cells[i];
    const bool alone = (i == 0 || row.cells[i - 1].column != c.column) &&
                       (i + 1 == row.cells.size() || row.cells[i + 1].column != c.column);
    if (alone && c.value.type == Type::in_table && c.write == common) continue;
    put_varint(out.shape, c.column);
    put_varint(out.shape, c.write);
    put_value(out.shape, c.value);
  }
}

void unpack_row(const RowState& state, const ColumnSet& columns, core::Row& row) {
  Unpacker unpacker(state);
  auto& in = unpacker.in;
  unpacker.marks(row.births);
  unpacker.marks(row.dead);
  unpacker.marks(row.killers);
  row.writes.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  row.cells.clear();
  for (auto& w : row.writes) {
    const auto flags = in.byte();
    w.carrier = unpacker.mark();
    const auto stamp = flags & kStampIsCarrier ? w.carrier : unpacker.mark();
    w.stamp = {0, stamp.origin, stamp.seq};
    if (flags & kTargetsAreBirths) {
      w.targets = row.births;
    } else {
      unpacker.marks(w.targets);
    }
  }
  unpacker.times(row.writes);
  const auto damaged = [] {
    return StorageError(Errc::corrupt, "a row's bookkeeping is damaged; run mycelial check");
  };
  if (!unpacker.ok()) throw damaged();
  if (row.writes.empty()) return;
  const auto common = in.varint();
  const auto end = in.varint();
  while (in.ok() && !in.at_end()) {  // cells that the shape names
    core::Cell c;
    c.column = static_cast<std::uint32_t>(in.varint());
    c.write = static_cast<std::uint32_t>(in.varint());
    if (c.write != row.writes.size()) c.value = get_value(in);
    row.cells.push_back(c);
  }
  const auto unwritten = [&](const core::Cell& c) { return c.write == row.writes.size(); };
  const auto bad = [&](const core::Cell& c) { return c.write > row.writes.size(); };
  if (!in.ok() || common >= row.writes.size() || std::ranges::any_of(row.cells, bad)) {
    throw damaged();
  }
  const std::size_t named = row.cells.size();
  for (const std::uint32_t column : columns.ids) {
    if (column >= end) break;
    const auto names = std::span(row.cells).first(named);
    const bool is_named =
        std::ranges::any_of(names, [&](const core::Cell& c) { return c.column == column; });
    if (!is_named) {
      row.cells.push_back({column, static_cast<std::uint32_t>(common), core::Value::in_table()});
    }
  }
  std::erase_if(row.cells, unwritten);
  const auto less = [](const core::Cell& a, const core::Cell& b) { return a.column < b.column; };
  if (!std::ranges::is_sorted(row.cells, less)) std::ranges::stable_sort(row.cells, less);
}

}  // namespace mycelial::storage
