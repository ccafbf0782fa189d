// SPDX-License-Identifier: Apache-2.0
// Overwriter says what RowJoiner says, of packed rows.
#include "storage/overwriter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace mycelial::storage {
namespace {

using core::Cell;
using core::Mark;
using core::Row;
using core::Value;
using core::Write;

constexpr std::uint32_t kColumns = 6;  // of the table; further ones are parked

ColumnSet table_columns() {
  ColumnSet out;
  for (std::uint32_t id = 0; id < kColumns; ++id) out.ids.push_back(id);
  return out;
}

core::Ranks ranks() {
  std::vector<core::Stream> streams(5);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    streams[i].site.bytes[0] = static_cast<std::uint8_t>(i);
  }
  return core::Ranks(streams);
}

/// Rows and updates of them, mostly such as are met every day.
class Random {
 public:
  explicit Random(std::uint64_t seed) : random_(seed) {}

  bool in(unsigned of) { return number(1, of) == 1; }
  std::uint64_t number(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random_);
  }
  core::Origin origin() { return static_cast<core::Origin>(number(1, 4)); }
  core::Marks marks(unsigned most, std::uint64_t largest) {
    core::Marks out;
    for (core::Origin o = 1; o <= most; ++o) {
      if (in(2)) out.push_back({o, number(1, largest)});
    }
    return out;
  }

  Row row() {
    Row out;
    out.births = marks(2, 9);
    if (out.births.empty()) out.births.push_back({origin(), number(1, 9)});
    if (in(2)) out.dead = marks(3, 5);
    if (in(4)) out.killers = marks(2, 9);
    Row piece;
    // As joins make them: one over another.
    for (auto n = number(1, 4); n > 0; --n) {
      piece = update(out, 6);
      for (auto& cell : piece.cells) cell.value = shown(cell.column);
      out = core::merge_rows(out, piece, {}, {}, ranks_);
    }
    return out;
  }

  /// By the set of a site, at a time.
  Row update(const Row& row, std::uint64_t latest) {
    Row out;
    Write write{{origin(), number(5, 20)}, {}, row.births};
    write.stamp = {number(1, latest), write.carrier.origin, write.carrier.seq};
    if (in(8)) write.targets = marks(3, 9);
    if (in(16)) write.carrier.seq += 1;
    if (write.targets.empty()) write.targets = row.births;
    if (in(16)) out.killers = marks(2, 9);
    if (in(16)) out.births = marks(2, 30);
    out.writes = {write};
    const auto all = in(3);  // else one or two columns
    const auto first = number(0, kColumns - 2);
    for (std::uint32_t column = 0; column < kColumns + 2; ++column) {
      const bool parked = column >= kColumns;
      if (parked ? in(12) : all || column == first || (column == first + 1 && in(2))) {
        out.cells.push_back({column, 0, Value::of(static_cast<std::int64_t>(number(1, 99)))});
      }
    }
    return out;
  }

 private:
  static Value shown(std::uint32_t column) {
    return column < kColumns ? Value::in_table() : Value::of(column);
  }

  std::mt19937_64 random_;
  core::Ranks ranks_ = ranks();
};

/// The row as the book says it once the table shows it.
Row kept(Row row, const core::Ranks& ranks) {
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    if (row.cells[i].column < kColumns && core::is_winner(row, i, ranks)) {
      row.cells[i].value = Value::in_table();
    }
  }
  return row;
}

/// Books them, and unpacks: what a book keeps of the row.
Row booked(const Row& row, const ColumnSet& columns) {
  RowState state;
  pack_row(row, columns, state);
  Row out;
  unpack_row(state, columns, out);
  for (auto& cell : out.cells) {  // whose bytes would view the state
    EXPECT_TRUE(cell.value.bytes.empty());
  }
  return out;
}

TEST(Overwriter, SaysWhatAJoinSays) {
  const auto columns = table_columns();
  const auto order = ranks();
  Overwriter overwriter(columns);
  Random random(7);
  std::size_t taken = 0;
  RowState old, out;
  for (int round = 0; round < 200'000; ++round) {
    const Row before = booked(random.row(), columns);
    const Row piece = random.update(before, random.in(4) ? 6 : 30);
    std::vector<std::uint64_t> seen(random.in(3) ? 5 : 4, random.in(3) ? 12 : 30);
    pack_row(before, columns, old);
    if (!overwriter.join(old, piece, seen, out)) continue;
    ++taken;
    std::vector<core::Discarded> discarded;
    Row expected, got;
    core::RowJoiner().join(before, piece, {}, {}, order, expected, &discarded);
    unpack_row(out, columns, got);
    ASSERT_EQ(got, kept(expected, order)) << "round " << round;
    for (const auto& d : discarded) {
      ASSERT_FALSE(d.died) << "round " << round;
      ASSERT_LT(d.stamp.origin, seen.size()) << "round " << round;
      ASSERT_LE(d.stamp.seq, seen[d.stamp.origin]) << "round " << round;
      ASSERT_EQ(d.value.type, Value::Type::in_table) << "round " << round;
    }
  }
  EXPECT_GT(taken, 20'000u);
}

/// A row of one write, and an update of two of its columns by set 9 of site 1, which saw all.
struct Usual {
  ColumnSet columns = table_columns();
  std::vector<std::uint64_t> seen{0, 9, 3};
  Row row, piece;
  Usual() {
    row.births = {{2, 3}};
    row.dead = {{2, 1}};
    row.writes = {{{2, 3}, {50, 2, 3}, {{2, 3}}}};
    for (const auto id : columns.ids) row.cells.push_back({id, 0, Value::in_table()});
    piece.writes = {{{1, 9}, {60, 1, 9}, {{2, 3}}}};
    piece.cells = {{2, 0, Value::of(1)}, {3, 0, Value::of(2)}};
  }
  bool is_taken() const {
    RowState old, out;
    pack_row(row, columns, old);
    return Overwriter(columns).join(old, piece, seen, out);
  }
};

TEST(Overwriter, TakesAnUpdateByWhoeverSawTheRow) {
  Usual usual;
  EXPECT_TRUE(usual.is_taken());
  usual.row = kept(core::merge_rows(usual.row, usual.piece, {}, {}, ranks()), ranks());
  usual.piece.writes[0] = {{1, 10}, {61, 1, 10}, {{2, 3}}};
  EXPECT_TRUE(usual.is_taken());
}

TEST(Overwriter, LeavesWhatIsUnusualToTheJoin) {
  const auto with = [](auto&& change) {
    Usual usual;
    change(usual);
    return usual.is_taken();
  };
  EXPECT_FALSE(with([](Usual& u) { u.piece.writes[0].stamp.time = 50; }));
  EXPECT_FALSE(with([](Usual& u) { u.seen[2] = 2; }));
  EXPECT_FALSE(with([](Usual& u) { u.seen.resize(2); }));
  EXPECT_FALSE(with([](Usual& u) { u.row.dead[0].seq = 4; }));
  EXPECT_FALSE(with([](Usual& u) { u.row.cells[5].value = Value::of(7); }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.writes[0].targets = {{2, 2}}; }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.writes[0].carrier.seq = 10; }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.births = {{1, 9}}; }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.dead = {{2, 2}}; }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.killers = {{1, 9}}; }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.cells.push_back({7, 0, Value::of(3)}); }));
  EXPECT_FALSE(with([](Usual& u) { u.piece.cells[1].column = 2; }));
}

}  // namespace
}  // namespace mycelial::storage
