// SPDX-License-Identifier: Apache-2.0
// A stranger says whatever it likes. b listens to it and to a, who is honest: what b and a have to
// tell each other gets through, meanwhile and afterwards, and b remembers a bounded amount.
#include <gtest/gtest.h>

#include <limits>

#include "world.hpp"

namespace mycelial::core::testing {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

class Hostile : public ::testing::Test {
 protected:
  Hostile() {
    stranger.bytes.fill(0xee);
    WireModel silent;
    silent.tells = false;
    bad = &w.wire({&b, &mallory}, silent);
  }
  void TearDown() override { EXPECT_EQ(w.oracle.violations, std::vector<std::string>()); }

  void link_honest() {
    good = &w.wire({&a, &b});
    w.run(1000);
  }
  void say(decltype(Message::body) body) { bad->inject(b, {stranger, session, std::move(body)}); }
  /// Both write, and soon hold the same; the link between them has held.
  void expect_honest_exchange(TimeMs within = 30'000) {
    a.write(2000);
    b.write(2000);
    EXPECT_TRUE(w.run(within, [&] { return w.converged(); })) << w.traffic();
    EXPECT_EQ(good->given_up, 0u);
  }
  static Hash hash_of(std::uint64_t n) {
    Hash out;
    for (std::size_t i = 0; i < 8; ++i) out.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
    return out;
  }
  static Stream stream_of(std::uint64_t n) { return {Site::from(hash_of(n).view()), 0, 0}; }
  static FragMessage piece(const UnitRef& unit, std::uint64_t offset, Bytes bytes) {
    return {unit, offset, std::move(bytes), true};
  }
  Bytes bytes_of(const UnitRef& unit) { return a.depot().read(unit, 0, unit.size).value(); }

  World w{21};
  Node& a = w.add("a");
  Node& b = w.add("b");
  Node mallory{w, "mallory", {}};
  Wire* good = nullptr;
  Wire* bad = nullptr;
  Site stranger;
  std::uint64_t session = 77;
};

/// Messages of every kind whose fields are at their bounds, or plausible and wrong.
class Liar {
 public:
  Liar(World& w, Node& a, Node& b) : w_(w), a_(a), b_(b) {}

  decltype(Message::body) lie() {
    switch (w_.below(8)) {
      case 0:
        return DigestMessage{hash(), {number(), number()}};
      case 1:
        return HaveMessage{number(), tips(), hash(),
                           coin(),   coin(), static_cast<std::uint8_t>(w_.below(3))};
      case 2:
        return want();
      case 3:
      case 4:
        return frag();
      case 5:
        return StopMessage{hash()};
      case 6:
        return CompareMessage{w_.below(8) ? b_.session() : number(),
                              {number(), number()},
                              number(),
                              std::vector<std::uint32_t>(std::size_t{1} << w_.below(10))};
      default:
        return ProbeMessage{stream(), {tip(), tip()}};
    }
  }

 private:
  bool coin() { return w_.below(2) == 0; }
  std::uint64_t number() {
    static constexpr std::uint64_t edges[] = {0, 1, 2, 3, 127, 128, 1u << 31, kMax >> 1, kMax};
    return edges[w_.below(std::size(edges))];
  }
  std::uint64_t seq() { return std::min(number(), kMax >> 1); }
  Stream stream() {
    static const Site baseline;
    Site other;
    other.bytes.fill(static_cast<std::uint8_t>(1 + w_.below(3)));
    const Site sites[] = {a_.depot().site(), b_.depot().site(), baseline, other};
    Stream out{sites[w_.below(4)], 0, 0};
    if (w_.below(8) == 0) out.scope = out.priority_class = 0xffffffff;
    return out;
  }
  Hash hash() {
    const auto& have = w_.below(2) ? a_.depot().have() : b_.depot().have();
    if (!have.empty() && coin()) return std::next(have.begin(), skip(have.size()))->second.hash;
    Hash out;
    out.bytes.fill(static_cast<std::uint8_t>(w_.below(3)));
    return out;
  }
  std::ptrdiff_t skip(std::size_t n) { return static_cast<std::ptrdiff_t>(w_.below(n)); }
  Tip tip() { return {seq(), hash()}; }
  std::vector<std::pair<Stream, Tip>> tips() {
    std::vector<std::pair<Stream, Tip>> out(w_.below(4));
    for (auto& [of, at] : out) of = stream(), at = tip();
    return out;
  }
  WantMessage want() {
    WantMessage out;
    out.to = w_.below(8) ? b_.session() : number();
    for (auto n = w_.below(4); n > 0; --n) {
      out.needs.push_back({stream(), number(), number(), static_cast<std::uint32_t>(number())});
    }
    for (auto n = w_.below(3); n > 0; --n) {
      const std::uint64_t begin = number();
      out.parts.push_back({hash(), {{begin, begin + std::min(number(), kMax - begin)}}});
    }
    out.tips = tips();
    out.graft = coin();
    return out;
  }
  FragMessage frag() {
    static constexpr std::uint64_t sizes[] = {1, 100, 2000, std::uint64_t{1} << 44};
    FragMessage out;
    out.unit = {hash(), static_cast<UnitKind>(1 + w_.below(4)), stream(), seq(), 0, 0, 0};
    out.unit.last = coin() ? out.unit.first : std::max(out.unit.first, seq());
    out.unit.size = sizes[w_.below(4)];
    out.offset = std::min(number(), out.unit.size);
    out.bytes = Bytes(std::min<std::uint64_t>(w_.below(300), out.unit.size - out.offset), 'x');
    out.more = coin();
    return out;
  }

  World& w_;
  Node& a_;
  Node& b_;
};

TEST_F(Hostile, LiesOfEveryKind) {
  link_honest();
  Liar liar(w, a, b);
  for (int i = 0; i < 20'000; ++i) {
    session = 1 + w.below(3);
    say(liar.lie());
    if (i % 20 == 0) w.run(w.below(100));
    if (i % 2000 == 0) a.write(300);
    if (i % 3000 == 0) b.write(300);
  }
  expect_honest_exchange();
  EXPECT_EQ(a.reasons, std::vector<std::string>());
}

TEST_F(Hostile, OurOwnSessionIsAnEcho) {
  link_honest();
  session = b.session();
  say(HaveMessage{1, {{{a.depot().site()}, {9, hash_of(1)}}}, hash_of(2), true, true, 0});
  for (const auto& peer : b.exchange().peers()) EXPECT_NE(peer.session, b.session());
  expect_honest_exchange();
}

/// Perhaps it is no lie, and the file is a backup: its next number would be one that others have.
TEST_F(Hostile, WhoClaimsMoreOfOurSetsThanWeMadeMakesUsANewSite) {
  link_honest();
  b.write(500);
  const Site before = b.depot().site();
  const Stream own{before, 0, 0};
  const std::uint64_t made = b.depot().have().at(own).seq;
  say(HaveMessage{1, {{own, {made, b.depot().have().at(own).hash}}}, hash_of(2), true, true, 0});
  EXPECT_EQ(b.depot().site(), before);
  say(HaveMessage{2, {{own, {made + 1, hash_of(3)}}}, hash_of(4), true, true, 0});
  EXPECT_NE(b.depot().site(), before);
  expect_honest_exchange();
}

/// One set under a number for b, another one for c: nobody can know which is the true one. The two
/// refuse each other by name, and go on with everybody else.
TEST_F(Hostile, TwoSetsUnderOneNumberAreRefusedByName) {
  Node& c = w.add("c");
  WireModel silent;
  silent.tells = false;
  Wire& to_c = w.wire({&c, &mallory}, silent);
  const auto forged = [&](const std::string& body) -> Message {
    Header header;
    header.stream = {stranger};
    header.first = header.last = 1;
    const Bytes bytes = codec::encode_unit(header, body);
    UnitRef ref;
    ref.id = codec::decode_unit(bytes)->id;
    ref.stream = header.stream;
    ref.first = ref.last = 1;
    ref.size = bytes.size();
    return {stranger, session, piece(ref, 0, bytes)};
  };
  bad->inject(b, forged("one"));
  to_c.inject(c, forged("another"));
  ASSERT_EQ(b.depot().have().count({stranger}), 1u);
  ASSERT_EQ(c.depot().have().count({stranger}), 1u);
  w.wire({&b, &c});
  w.run(20'000);
  std::string said;
  for (const auto* node : {&b, &c}) {
    for (const auto& reason : node->reasons) said += reason + "\n";
  }
  EXPECT_NE(said.find("site " + stranger.hex() + " has two histories"), std::string::npos) << said;
  link_honest();
  a.write(100);
  b.write(100);
  EXPECT_TRUE(w.run(30'000, [&] { return a.depot().have() == b.depot().have(); }));
  std::erase(w.oracle.violations, "a set was applied that nobody sealed");  // true of the forged
}

TEST_F(Hostile, AFalseSizeDoesNotShutTheTrueUnitOut) {
  const UnitRef unit = a.write(5000);
  UnitRef lie = unit;
  lie.size += 1000;
  say(piece(lie, 0, "x"));
  bad->set_up(false);
  link_honest();
  expect_honest_exchange();
}

TEST_F(Hostile, AUnitThatIsDescribedFalselyIsRefused) {
  Node& c = w.add("c");  // b is to hear of c's sets from a, who did not write them
  w.wire({&a, &c});
  a.write(500);
  c.write(500);
  ASSERT_TRUE(w.run(10'000, [&] { return c.depot().sets() == 2 && a.depot().sets() == 2; }));
  const UnitRef later = a.write(500);  // cannot be applied yet: nobody gave b what it follows
  UnitRef lie = later;
  lie.stream = {c.depot().site()};
  lie.first = 1;
  lie.last = kMax >> 1;
  say(piece(lie, 0, bytes_of(later)));
  EXPECT_EQ(bad->given_up + b.closed, 1u);
  EXPECT_EQ(b.depot().staged().size(), 0u);
  link_honest();
  EXPECT_TRUE(w.run(10'000, [&] { return w.converged(); }));
}

TEST_F(Hostile, GarbageInsideAUnitIsNotBlamedOnTheHonest) {
  const UnitRef unit = a.write(5000);
  for (int i = 0; i < 3; ++i) {
    say(piece(unit, 0, Bytes(1000, 'x')));
    if (!good) w.run(20'000), link_honest();
    w.run(10'000);
  }
  expect_honest_exchange();
}

TEST_F(Hostile, WhoTricklesAUnitDoesNotKeepItFromOthers) {
  const UnitRef unit = a.write(5000);
  say(piece(unit, 0, "x"));
  link_honest();
  for (int i = 0; i < 60; ++i) {
    say(piece(unit, 0, "x"));
    w.run(500);
  }
  EXPECT_TRUE(w.converged());
  expect_honest_exchange();
}

TEST_F(Hostile, UnitsBegunAndLeftMakeRoomForOthers) {
  const UnitRef unit = a.write(500);
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    session = 1 + i / 5000;
    UnitRef junk = unit;
    junk.id = hash_of(i + 1);
    say(piece(junk, 0, "x"));
    if (i % 4000 == 3999) bad->give_up(b);  // comes again
  }
  EXPECT_LE(b.depot().staged().size(), 16'384u);
  link_honest();
  expect_honest_exchange();
}

TEST_F(Hostile, RefusalsAreNotHeapedUp) {
  link_honest();
  expect_honest_exchange();
  const auto tip = *a.depot().have().begin();
  for (std::uint64_t i = 0; i < 50'000; ++i) {  // all at once: the link takes no answer meanwhile
    const UnitRef known{hash_of(i), UnitKind::set, tip.first, 1, 1, 100, 0};
    say(piece(known, 0, "x"));
  }
  w.run(60'000);
  EXPECT_LE(bad->kinds["stop"], 4200u);
  expect_honest_exchange();
}

TEST_F(Hostile, ARequestForEverythingManyTimesIsAnsweredOnce) {
  for (int i = 0; i < 2000; ++i) a.write(50);
  link_honest();
  ASSERT_TRUE(w.run(60'000, [&] { return w.converged(); }));
  say(DigestMessage{});
  WantMessage want;
  want.to = b.session();
  for (int i = 0; i < 60'000; ++i) want.needs.push_back({{a.depot().site()}, 1, kMax >> 1, 1});
  const std::size_t before = b.depot().handed_out;
  say(want);
  EXPECT_LE(b.depot().handed_out - before, 70'000u);
  expect_honest_exchange();
}

TEST_F(Hostile, MoreStreamsThanAllowedEndTheLink) {
  link_honest();
  HaveMessage have;
  for (std::uint64_t i = 1; i <= 65'537; ++i) {
    have.tips.push_back({stream_of(i), {1, hash_of(i)}});
    if (have.tips.size() == 1000 || i == 65'537) say(have), have.tips.clear();
  }
  ASSERT_EQ(b.closed, 1u);
  EXPECT_EQ(b.reasons[0], "the peer names more than 65536 streams");
  expect_honest_exchange();
}

TEST_F(Hostile, WhatIsRememberedOfAGroupIsBounded) {
  link_honest();
  WireModel radio;
  radio.group = true;
  radio.tells = false;
  Wire& group = w.wire({&b, &mallory}, radio);
  HaveMessage have;
  for (std::uint64_t i = 1; i <= 10'000; ++i) have.tips.push_back({stream_of(i), {1, hash_of(i)}});
  for (std::uint64_t i = 1; i <= 200; ++i) group.inject(b, {stranger, i, have});
  std::size_t members = 0;
  for (const auto& peer : b.exchange().peers()) members += peer.site == stranger ? 1 : 0;
  EXPECT_LE(members, 27u);  // 262,144 tips
}

TEST_F(Hostile, AFloodOfDigestsStopsAndProbesIsHardlyAnswered) {
  link_honest();
  expect_honest_exchange();
  w.forget_traffic();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    say(DigestMessage{hash_of(i)});
    say(StopMessage{hash_of(i)});
    say(ProbeMessage{stream_of(i), {{i, hash_of(i)}}});
    if (i % 100 == 0) w.run(10);
  }
  EXPECT_LT(bad->messages, 50u) << w.traffic();
  expect_honest_exchange();
}

TEST_F(Hostile, WhoContinuesOurStreamGivesUsANewName) {
  link_honest();
  expect_honest_exchange();
  const Site before = b.depot().site();
  const std::uint64_t next = b.depot().have().at({before}).seq + 1;
  say(piece({hash_of(1), UnitKind::set, {before}, next, next, 500, 0}, 0, "x"));
  EXPECT_NE(b.depot().site(), before);
  expect_honest_exchange();
}

TEST_F(Hostile, PromisesThatNobodyKeepsDelayLittle) {
  a.write(500);
  say(HaveMessage{1, {{{a.depot().site()}, {kMax >> 1, hash_of(1)}}}, hash_of(2), true, true, 0});
  link_honest();
  for (std::uint64_t i = 2; i < 100; ++i) {
    say(HaveMessage{i, {{{a.depot().site()}, {kMax >> 1, hash_of(1)}}}, hash_of(i), true, true, 0});
    w.run(1000);
  }
  EXPECT_TRUE(w.converged());
  expect_honest_exchange();
}

}  // namespace
}  // namespace mycelial::core::testing
