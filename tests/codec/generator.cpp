// SPDX-License-Identifier: Apache-2.0
#include "tests/codec/generator.hpp"

#include <limits>

namespace mycelial::testing {

using core::Value;

Bytes Generator::bytes(std::size_t max) {
  Bytes out(below(max + 1), '\0');
  for (auto& c : out) c = static_cast<char>(number());
  return out;
}

core::Site Generator::site() {
  core::Site out;
  for (auto& b : out.bytes) b = static_cast<std::uint8_t>(number());
  return out;
}

core::Stream Generator::stream() {
  return {site(), static_cast<std::uint32_t>(chance(3) ? number() : 0),
          static_cast<std::uint32_t>(chance(3) ? number() : 0)};
}

Hash Generator::hash() {
  Hash out;
  for (auto& b : out.bytes) b = static_cast<std::uint8_t>(number());
  return out;
}

std::vector<std::pair<core::Stream, core::Tip>> Generator::tips(std::size_t max) {
  std::vector<std::pair<core::Stream, core::Tip>> out(below(max + 1));
  for (auto& [s, tip] : out) {
    s = stream();
    tip = {seq(), hash()};
  }
  return out;
}

core::Message Generator::message() {
  core::Message out{site(), number(), {}};
  switch (below(8)) {
    case 0:
      out.body = core::DigestMessage{hash(), {number(), seq()}};
      break;
    case 1:
      out.body = core::HaveMessage{seq(),     tips(20),  hash(),
                                   chance(2), chance(2), static_cast<std::uint8_t>(below(3))};
      break;
    case 2: {
      core::WantMessage want;
      want.to = number();
      for (auto n = below(10); n > 0; --n) {
        want.needs.push_back({stream(), seq(), seq(), static_cast<std::uint32_t>(number())});
      }
      for (auto n = below(10); n > 0; --n) {
        auto& part = want.parts.emplace_back();
        part.unit = hash();
        for (auto m = below(10); m > 0; --m) {
          const std::uint64_t begin = seq();
          part.missing.push_back({begin, begin + seq()});
        }
      }
      want.tips = tips(10);
      want.graft = chance(2);
      out.body = want;
      break;
    }
    case 3: {
      core::FragMessage frag;
      frag.unit.id = hash();
      frag.unit.kind = static_cast<core::UnitKind>(1 + below(4));
      frag.unit.stream = chance(2) ? core::Stream{out.site, 0, 0} : stream();
      frag.unit.first = seq() / 2;
      frag.unit.last = frag.unit.first + seq() / 2;
      frag.bytes = bytes(300);
      frag.offset = seq() >> 22;
      frag.unit.size = frag.offset + frag.bytes.size() + below(1000);
      frag.more = chance(2);
      out.body = frag;
      break;
    }
    case 4:
      out.body = core::StopMessage{hash()};
      break;
    case 5: {
      core::ProbeMessage probe{stream(), {}};
      for (auto n = below(10); n > 0; --n) probe.points.push_back({seq(), hash()});
      out.body = probe;
      break;
    }
    case 6: {
      core::CompareMessage compare{number(), {number(), seq()}, seq(), {}};
      compare.sums.resize(std::size_t{1} << below(8));
      for (auto& sum : compare.sums) sum = static_cast<std::uint32_t>(number());
      if (chance(2)) compare.parts.push_back({hash(), {{1, 2}, {10, 1000}}});
      out.body = compare;
      break;
    }
    default:
      out.body = core::ByeMessage{bytes(100)};
  }
  return out;
}

core::Header Generator::header() {
  core::Header out;
  out.kind = static_cast<core::UnitKind>(1 + below(4));
  out.stream = stream();
  if (core::holds_sets(out.kind)) {
    out.first = out.last = seq() / 2 + 1;
    if (!chance(4)) out.prev = hash();
  }
  if (out.kind == core::UnitKind::fold) {
    out.last += below(20);
    for (auto i = out.first; i <= out.last; ++i) out.chain.push_back(hash());
  }
  out.deps = tips(5);
  out.base = tips(5);
  out.have = tips(5);
  for (auto n = below(5); n > 0; --n) out.floor.emplace_back(stream(), seq());
  out.full = chance(2);
  return out;
}

core::Schema Generator::schema(std::size_t columns) {
  core::Schema out;
  out.table = bytes(20);
  for (std::size_t i = 0; i < columns; ++i) out.columns.push_back(bytes(10));
  for (std::size_t i = 0; i < columns && chance(2); ++i) {
    out.key.push_back(static_cast<std::uint32_t>(below(columns)));
  }
  return out;
}

std::vector<core::Stream> Generator::origins(std::size_t count) {
  std::vector<core::Stream> out(1);
  while (out.size() < count) out.push_back(stream());
  return out;
}

Value Generator::value(std::size_t kind) {
  static const std::int64_t integers[] = {0,
                                          1,
                                          -1,
                                          127,
                                          std::numeric_limits<std::int64_t>::min(),
                                          std::numeric_limits<std::int64_t>::max()};
  static const double reals[] = {0.0,
                                 0.1,
                                 -74.0060,
                                 1e300,
                                 5e-324,
                                 9007199254740993.0,
                                 std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity()};
  switch (kind) {
    case 0:
      return Value::null();
    case 1:
      return Value::of(chance(3) ? integers[below(6)]
                                 : static_cast<std::int64_t>(number()) >> below(64));
    case 2:
      return Value::of_real(
          chance(3) ? reals[below(8)]
                    : static_cast<double>(static_cast<std::int64_t>(number()) >> below(64)) /
                          (chance(2) ? 1000.0 : 7.0));
    case 3:
      return Value::text(
          texts_.emplace_back(chance(2) ? Bytes("ok\0\xff\xfe", below(6)) : bytes(20)));
    default:
      return Value::blob(texts_.emplace_back(bytes(20)));
  }
}

core::Marks Generator::marks(std::size_t origins, std::size_t max) {
  core::Marks out;
  for (std::size_t origin = 0; origin < origins && out.size() < max; ++origin) {
    if (chance(2)) out.push_back({static_cast<core::Origin>(origin), seq()});
  }
  return out;
}

core::RowPiece Generator::wild_row(std::size_t columns, std::size_t origins) {
  core::RowPiece out;
  out.identity = bytes(30);
  core::Row& row = out.row;
  row.births = marks(origins, below(4));
  row.dead = marks(origins, below(3));
  row.killers = marks(origins, below(3));
  for (auto n = below(4); n > 0; --n) {
    const auto origin = [&] { return static_cast<core::Origin>(below(origins)); };
    core::Write write;
    write.carrier = {origin(), seq()};
    write.stamp = {chance(4) ? 0 : number() >> (1 + below(63)), origin(), seq()};
    if (chance(2)) write.stamp = {write.stamp.time, write.carrier.origin, write.carrier.seq};
    write.targets = chance(2) ? row.births : marks(origins, 3);
    row.writes.push_back(std::move(write));
  }
  if (row.writes.empty()) return out;
  for (std::size_t c = 0; c < columns; ++c) {
    for (auto n = chance(2) ? below(4) : 0; n > 0; --n) {
      row.cells.push_back({static_cast<std::uint32_t>(c),
                           static_cast<std::uint32_t>(below(row.writes.size())), value(below(5))});
    }
  }
  return out;
}

std::vector<core::RowPiece> Generator::plain_rows(std::size_t count, std::size_t columns,
                                                  bool update) {
  std::vector<core::RowPiece> out;
  core::Hlc time = core::hlc_from_ms(1'700'000'000'000);
  const core::Mark set{1, 1000};
  for (std::size_t i = 0; i < count; ++i) {
    core::RowPiece piece;
    piece.identity = "K" + std::to_string(100000 + i);
    piece.row.births = {update ? core::Mark{2, 10 + i / 3} : set};
    time += chance(50) ? core::hlc_from_ms(1) : 1;
    piece.row.writes = {{set, {time, set.origin, set.seq}, piece.row.births}};
    for (std::size_t c = 0; c < columns; ++c) {
      if (!update || c % 4 == 1) {
        piece.row.cells.push_back({static_cast<std::uint32_t>(c), 0, value(c % 5)});
      }
    }
    out.push_back(std::move(piece));
  }
  return out;
}

}  // namespace mycelial::testing
