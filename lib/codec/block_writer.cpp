// SPDX-License-Identifier: Apache-2.0
#include "codec/block_writer.hpp"

#include <algorithm>

#include "codec/block_format.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "codec/numbers.hpp"
#include "codec/tables.hpp"

namespace mycelial::codec {

namespace {

using core::Mark;
using core::Marks;
using core::Row;
using core::Write;

Mark dot_of(const core::Stamp& stamp) {
  return {stamp.origin, stamp.seq};
}

bool same_write(const Write& a, const Write& b) {
  return a.carrier == b.carrier && dot_of(a.stamp) == dot_of(b.stamp) && a.targets == b.targets &&
         (a.stamp.time == 0) == (b.stamp.time == 0);
}

/// Equal but for the times.
bool same_life(const Row& a, const Row& b) {
  return a.births == b.births && a.dead == b.dead && a.killers == b.killers &&
         std::ranges::equal(a.writes, b.writes, same_write);
}

std::uint64_t list_code(const Marks& marks, const Marks& before) {
  using life::List;
  if (marks.empty()) return static_cast<std::uint64_t>(List::none);
  if (marks == before) return static_cast<std::uint64_t>(List::same);
  return static_cast<std::uint64_t>(marks.size() == 1 ? List::one : List::many);
}

std::uint64_t difference(std::uint64_t now, std::uint64_t before) {
  return zigzag(static_cast<std::int64_t>(now - before));
}

std::size_t marks_in(const Row& row) {
  std::size_t n = row.births.size() + row.dead.size() + row.killers.size();
  for (const auto& write : row.writes) n += write.targets.size();
  return n;
}

}  // namespace

bool BlockWriter::full() const {
  return bytes_ >= kCutBytes || rows_ >= kCutRows || cells_ >= kCutCells || marks_ >= kCutMarks ||
         writes_ >= kCutWrites || identity_bytes_ >= kCutIdentityBytes;
}

void BlockWriter::add(const core::RowPiece& piece, const BodyWriter::OriginNames& origin_of) {
  add_identity(piece.identity);
  add_life(piece.row, origin_of);
  add_cells(piece.row);
  ++rows_;
}

void BlockWriter::add_identity(const core::Identity& identity) {
  const auto end = std::ranges::mismatch(identity, last_identity_).in1;
  const auto shared = static_cast<std::size_t>(end - identity.begin());
  shared_.push_back(shared);
  rest_.push_back(identity.size() - shared);
  identities_.append(identity, shared);
  last_identity_ = identity;
  identity_bytes_ += identity.size();
  bytes_ += identity.size() - shared + 1;
}

std::uint32_t BlockWriter::origin(core::Origin origin, const BodyWriter::OriginNames& origin_of) {
  if (origin == 0) return 0;
  const auto next = static_cast<std::uint32_t>(last_birth_.size());
  const auto [found, fresh] = origin_index_.try_emplace(origin, next);
  if (fresh) {
    put_stream(origins_, origin_of(origin));
    last_birth_.push_back(0);
    last_dot_.push_back(0);
    bytes_ += 18;
  }
  return found->second;
}

Mark BlockWriter::mark(const Mark& mark, const BodyWriter::OriginNames& origin_of) {
  return {origin(mark.origin, origin_of), mark.seq};
}

Marks BlockWriter::marks(const Marks& marks, const BodyWriter::OriginNames& origin_of) {
  Marks out;
  out.reserve(marks.size());
  for (const auto& m : marks) out.push_back(mark(m, origin_of));
  std::ranges::sort(out);
  return out;
}

void BlockWriter::put_dot(const Mark& mark, std::vector<std::uint64_t>& last) {
  put_varint(life_, mark.origin);
  put_varint(life_, difference(mark.seq, last[mark.origin]));
  last[mark.origin] = mark.seq;
}

void BlockWriter::put_marks(const Marks& marks, std::vector<std::uint64_t>& last, bool count) {
  if (count) put_varint(life_, marks.size());
  for (const auto& m : marks) put_dot(m, last);
}

std::uint8_t BlockWriter::write_flags(const Write& write, const Marks& births) const {
  std::uint8_t flags = write_flag::carrier_explicit;
  if (write.carrier == last_carrier_) {
    flags = write_flag::carrier_last;
  } else if (!births.empty() && write.carrier == births.front()) {
    flags = write_flag::carrier_birth;
  }
  if (dot_of(write.stamp) == write.carrier) flags |= write_flag::stamp_is_carrier;
  if (write.targets == births) flags |= write_flag::targets_are_births;
  if (write.stamp.time == 0) flags |= write_flag::time_zero;
  return flags;
}

void BlockWriter::put_write(const Write& write, const Marks& births) {
  const std::uint8_t flags = write_flags(write, births);
  put_varint(life_, flags);
  if ((flags & write_flag::carrier_mask) == write_flag::carrier_explicit) {
    put_dot(write.carrier, last_dot_);
  }
  last_carrier_ = write.carrier;
  if ((flags & write_flag::stamp_is_carrier) == 0) put_dot(dot_of(write.stamp), last_dot_);
  if ((flags & write_flag::targets_are_births) == 0) put_marks(write.targets, last_birth_, true);
}

void BlockWriter::add_time(core::Hlc time) {
  if (time == 0) return;  // A flag of its write says so.
  const std::uint64_t ms = core::hlc_ms(time);
  const std::uint64_t counter = time & 0xffff;
  if (ms != last_ms_) last_counter_ = 0;
  times_.push_back(difference(ms, last_ms_));
  counters_.push_back(difference(counter, last_counter_));
  last_ms_ = ms;
  last_counter_ = counter;
  bytes_ += 2;
}

void BlockWriter::add_life(const Row& row, const BodyWriter::OriginNames& origin_of) {
  for (const auto& write : row.writes) add_time(write.stamp.time);
  marks_ += marks_in(row);
  writes_ += row.writes.size();
  if (rows_ > 0 && same_life(row, last_life_)) {
    ++repeats_;
    return;
  }
  end_life();
  last_life_ = {row.births, row.dead, row.killers, row.writes, {}};
  Marks births = marks(row.births, origin_of);
  Marks dead = marks(row.dead, origin_of);
  Marks killers = marks(row.killers, origin_of);
  const auto put_list = [&](Marks& now, Marks& before, std::vector<std::uint64_t>& last, int at) {
    const std::uint64_t code = list_code(now, before);
    life_flags_ |= code << at;
    using life::List;
    if (code == static_cast<std::uint64_t>(List::one) ||
        code == static_cast<std::uint64_t>(List::many)) {
      put_marks(now, last, code == static_cast<std::uint64_t>(List::many));
    }
    before = std::move(now);
  };
  put_list(births, last_births_, last_birth_, life::births_at);
  put_list(dead, last_dead_, last_birth_, life::dead_at);
  put_list(killers, last_killers_, last_dot_, life::killers_at);
  std::vector<Write> writes;
  for (const auto& write : row.writes) {
    const Mark stamp = mark(dot_of(write.stamp), origin_of);
    writes.push_back({mark(write.carrier, origin_of),
                      {write.stamp.time, stamp.origin, stamp.seq},
                      marks(write.targets, origin_of)});
  }
  if (writes.size() == 1 && write_flags(writes[0], last_births_) == write_flag::usual) {
    life_flags_ |= std::uint64_t{life::usual_write} << life::writes_at;
    return;
  }
  if (!writes.empty()) life_flags_ |= (writes.size() == 1 ? 1U : 2U) << life::writes_at;
  if (writes.size() > 1) put_varint(life_, writes.size());
  for (const auto& write : writes) put_write(write, last_births_);
}

void BlockWriter::end_life() {
  if (rows_ == 0) return;
  const std::size_t before = lives_.size();
  put_varint(lives_, life_flags_ | (repeats_ > 0 ? life::repeats : 0));
  if (repeats_ > 0) put_varint(lives_, repeats_);
  lives_.append(life_);
  bytes_ += lives_.size() - before;
  life_.clear();
  life_flags_ = 0;
  repeats_ = 0;
}

void BlockWriter::add_cells(const Row& row) {
  cells_ += row.cells.size();
  if (!row.cells.empty() && row.cells.back().column >= columns_.size()) {
    columns_.resize(row.cells.back().column + 1);
  }
  for (const auto& cell : row.cells) {
    ColumnWriter& column = columns_[cell.column];
    bytes_ -= column.bytes();
    column.add(cell.value);
    bytes_ += column.bytes();
  }
  const auto alike = [](const core::Cell& a, const core::Cell& b) {
    return a.column == b.column && a.write == b.write;
  };
  if (rows_ > 0 && std::ranges::equal(row.cells, last_cells_, alike)) {
    pattern_of_.push_back(pattern_of_.back());
    return;
  }
  last_cells_.clear();
  key_.clear();
  for (const auto& cell : row.cells) {
    last_cells_.push_back({cell.column, cell.write, {}});
    put_varint(key_, cell.column);
    put_varint(key_, cell.write);
  }
  const auto [found, fresh] = pattern_index_.try_emplace(key_, pattern_index_.size());
  pattern_of_.push_back(found->second);
  if (!fresh) return;
  const bool one_write =
      std::ranges::all_of(row.cells, [](const core::Cell& c) { return c.write == 0; });
  patterns_.push_back((row.cells.size() << 1) | (one_write ? 0 : 1));
  std::uint32_t last = 0;
  for (const auto& cell : row.cells) {
    patterns_.push_back(cell.column - last);
    last = cell.column;
  }
  if (!one_write) {
    for (const auto& cell : row.cells) patterns_.push_back(cell.write);
  }
  bytes_ += row.cells.size();
}

void BlockWriter::finish(Bytes& out) {
  namespace f = block_field;
  end_life();
  Bytes list;
  const auto put_list = [&](std::uint32_t field, const std::vector<std::uint64_t>& numbers) {
    list.clear();
    put_numbers(list, numbers);
    put_bytes_field(out, field, list);
  };
  put_bytes_field(out, f::schema, schema_.view());
  put_varint_field(out, f::rows, rows_);
  put_bytes_field(out, f::origins, origins_);
  put_list(f::identity_shared, shared_);
  put_list(f::identity_rest, rest_);
  put_bytes_field(out, f::identities, identities_);
  put_bytes_field(out, f::lives, lives_);
  put_list(f::times, times_);
  put_list(f::counters, counters_);
  Bytes patterns;
  put_varint(patterns, pattern_index_.size());
  put_numbers(patterns, patterns_);
  put_bytes_field(out, f::patterns, patterns);
  put_list(f::pattern_of, pattern_of_);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].only_nulls()) continue;
    list.clear();
    put_varint(list, i);
    columns_[i].finish(list);
    put_bytes_field(out, f::columns, list);
  }
}

}  // namespace mycelial::codec
