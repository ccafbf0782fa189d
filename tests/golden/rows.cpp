// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/rows.hpp"

#include <limits>

namespace mycelial::golden {

namespace {

using core::Cell;
using core::Mark;
using core::Marks;
using core::Value;
using core::Write;

constexpr std::uint64_t kMs = 1'700'000'000'000;

core::Hlc at(std::uint64_t ms, std::uint64_t counter = 0) {
  return core::hlc_from_ms(kMs + ms) | counter;
}

/// A write of the set that carries it.
Write own(const Mark& set, core::Hlc time, Marks targets) {
  return {set, {time, set.origin, set.seq}, std::move(targets)};
}

core::Schema drones() {
  return {"drones", {"id", "name", "latitude", "image", "note"}, {0}};
}

}  // namespace

core::Site site(std::uint8_t fill) {
  core::Site out;
  out.bytes.fill(fill);
  return out;
}

core::Stream stream(std::uint8_t fill, std::uint32_t scope, std::uint32_t priority_class) {
  return {site(fill), scope, priority_class};
}

Hash hash(std::uint8_t fill) {
  Hash out;
  out.bytes.fill(fill);
  return out;
}

Table inserts() {
  using Limits = std::numeric_limits<std::int64_t>;
  Table t{drones(), {{}, stream(0xa1)}, {}};
  const Mark set{1, 7};
  const auto add = [&](std::vector<Value> values) {
    core::RowPiece piece;
    piece.identity = "K" + std::to_string(t.rows.size());
    piece.row.births = {set};
    piece.row.writes = {own(set, at(5, t.rows.size()), {set})};
    for (std::uint32_t i = 0; i < values.size(); ++i) piece.row.cells.push_back({i, 0, values[i]});
    t.rows.push_back(std::move(piece));
  };
  add({Value::of(0), t.text("alpha"), Value::of_real(40.7128), t.blob(Bytes("\0\xff", 2)), {}});
  add({Value::of(-1), t.text(""), Value::of_real(-74.006), t.blob(""), Value::of(1)});
  add({Value::of(Limits::max()),
       t.text("caf\xc3\xa9"),
       Value::of_real(0.1),
       {},
       Value::of_real(1)});
  add({Value::of(Limits::min()), t.text(Bytes("a\0b", 3)), Value::of_real(1e300), {}, t.text("n")});
  add({Value::of(1234567),
       {},
       Value::of_real(std::numeric_limits<double>::infinity()),
       {},
       t.blob("b")});
  add({Value::of(1), t.text("\xff"), Value::of_real(5e-324), {}, {}});
  return t;
}

Table updates() {
  Table t{drones(), {{}, stream(0xb2), stream(0xa1)}, {}};
  const Mark set{2, 8};
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Mark born{1, 100 + i};
    core::RowPiece piece{"K" + std::to_string(i), {}};
    piece.row.births = {born};
    piece.row.writes = {own(set, at(1000 + i), {born})};
    piece.row.cells = {{2, 0, Value::of_real(40.5 + static_cast<double>(i))}};
    if (i == 1) piece.row.cells.push_back({4, 0, t.text("moved")});
    t.rows.push_back(std::move(piece));
  }
  return t;
}

Table deletes() {
  Table t{drones(), {{}, stream(0xa1), stream(0xb2)}, {}};
  core::RowPiece one{"K1", {}};
  one.row.dead = {{1, 7}};
  one.row.killers = {{1, 9}};
  core::RowPiece two{"K2", {}};
  two.row.dead = {{1, 8}, {2, 100}};
  two.row.killers = {{1, 9}, {2, 101}};
  core::RowPiece baseline{"K3", {}};  // A row found at track, deleted.
  baseline.row.dead = {{0, 1}};
  baseline.row.killers = {{1, 9}};
  t.rows = {one, two, baseline};
  return t;
}

Table upserts() {
  Table t{drones(), {{}, stream(0xa1), stream(0xb2)}, {}};
  const Mark set{1, 12};
  const Marks both = {{1, 12}, {2, 5}};
  core::RowPiece piece{"K1", {}};
  piece.row.births = both;
  piece.row.dead = {{1, 3}};
  piece.row.writes = {own(set, at(2000), both), {set, {at(1500, 9), 2, 5}, both}};
  piece.row.cells = {{0, 1, Value::of(1)}, {1, 0, t.text("beta")}, {2, 1, Value::of_real(0.25)}};
  core::RowPiece old{"K2", {}};  // Its untouched columns stem from the baseline.
  old.row.births = {{0, 1}, {1, 12}};
  old.row.writes = {{set, {0, 0, 0}, {{0, 1}, {1, 12}}}, own(set, at(2000, 1), old.row.births)};
  old.row.cells = {{0, 0, Value::of(2)}, {1, 1, t.text("gamma")}};
  t.rows = {piece, old};
  return t;
}

Table concurrent() {
  Table t{drones(), {{}, stream(0xa1), stream(0xb2)}, {}};
  core::RowPiece piece{"K1", {}};
  piece.row.births = {{1, 20}, {2, 30}};
  piece.row.killers = {{2, 29}};
  piece.row.writes = {own({1, 20}, at(10), {{1, 20}}), own({2, 30}, at(11), {{2, 30}}),
                      own({2, 31}, at(12), {})};
  piece.row.cells = {{0, 0, Value::of(1)},    {0, 1, Value::of(1)}, {1, 0, t.text("here")},
                     {1, 1, t.text("there")}, {1, 2, {}},           {4, 1, t.blob("only there")}};
  t.rows = {piece};
  return t;
}

Table keyless() {
  Table t{{"log", {"at", "line"}, {}}, {{}, stream(0xa1)}, {}};
  const Mark set{1, 3};
  for (char i = 0; i < 3; ++i) {
    core::RowPiece piece;
    piece.identity = "H" + Bytes(t.origins[1].site.view()) + Bytes{static_cast<char>(10 + i)} +
                     Bytes("\x12\x34\x56", 3) + i;
    piece.row.births = {set};
    piece.row.writes = {own(set, at(50), {set})};
    piece.row.cells = {{0, 0, Value::of(i)}, {1, 0, t.text("same")}};
    t.rows.push_back(std::move(piece));
  }
  return t;
}

Table many() {
  static constexpr const char* kKinds[] = {"scout", "relay", "cargo"};
  Table t{{"fleet", {"id", "kind", "latitude", "count", "payload", "always_null"}, {0}},
          {{}, stream(0xa1)},
          {}};
  const Mark set{1, 42};
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto n = static_cast<std::int64_t>(i);
    core::RowPiece piece{"K" + std::to_string(1000 + i), {}};
    piece.row.births = {set};
    piece.row.writes = {own(set, at(i / 10, i % 10), {set})};
    piece.row.cells = {{0, 0, Value::of(1000 + n)},
                       {1, 0, t.text(kKinds[i % 3])},
                       {2, 0, Value::of_real(static_cast<double>(407128 + n) / 10000)},
                       {3, 0, Value::of(i < 200 ? 7 : n * n)}};
    if (i % 50 == 0) piece.row.cells.push_back({4, 0, t.blob(Bytes(i / 50, '\x7f'))});
    t.rows.push_back(std::move(piece));
  }
  return t;
}

Table threats() {
  Table t{{"threats", {"threat_id", "kind"}, {0}}, {{}, stream(0xa1)}, {}};
  const Mark set{1, 7};
  core::RowPiece piece{"KT-1", {}};
  piece.row.births = {set};
  piece.row.writes = {own(set, at(6), {set})};
  piece.row.cells = {{0, 0, t.text("T-1")}, {1, 0, t.text("vehicle")}};
  t.rows = {piece};
  return t;
}

Table policies() {
  using Kind = core::Part::Kind;
  Table t{{"page", {"url", "hits", "tags", "extra"}, {0}}, {{}, stream(0xb2), stream(0xa1)}, {}};
  t.schema.policies = {{1, "counter", kMs, 0}, {3, "json", kMs + 5, kMs}, {4, "fww", kMs + 9, 0}};
  const Mark set{2, 20}, born{1, 3};
  core::RowPiece piece{"K/", {}};
  piece.row.births = {born};
  piece.row.writes = {own(set, at(100), {born}), own(born, at(50), {born})};
  piece.row.cells = {{1, 0, t.part(Kind::site, "", Value::of(-3))},
                     {1, 1, t.part(Kind::site, "", Value::of_real(0.5))},
                     {2, 0, t.part(Kind::element, "\"red\"", Value::of(1))},
                     {2, 1, t.part(Kind::element, "\"blue\"", {})},
                     {3, 0, t.part(Kind::member, "\"size\"", t.text("\"XL\""))},
                     {3, 1, t.part(Kind::member, "\"old\"", {})},
                     {3, 1, t.part(Kind::member, "\"raw\"", t.blob(Bytes("\0\xff", 2)))}};
  t.rows = {piece};
  return t;
}

std::vector<core::Overruled> listed() {
  return {{"drones", "K1", "name", "superseded", "'first'", "'second'", "last writer wins", kMs},
          {"drones", "K2", "", "deleted", "x'00ff'", "", "", 0}};
}

}  // namespace mycelial::golden
