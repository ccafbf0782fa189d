// SPDX-License-Identifier: Apache-2.0
// What three writers overrule depends on who hears of whom first. Sites that tell each other what
// they list come to list the same.
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/codec.hpp"
#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class Lists : public testing::Test {
 protected:
  Lists() {
    for (Site* s : {&a, &b, &c}) EXPECT_TRUE(s->store().track_all().ok());
    must(a, "INSERT INTO t VALUES(1, '', 0)");
    exchange(a, b);
    exchange(b, c);
  }

  /// The second of three writers has seen the first; c hears of that one before the third.
  void three_writers(const std::string& first, const std::string& second,
                     const std::string& third) {
    must(a, "UPDATE t SET v = " + first);
    must(c, "UPDATE t SET v = " + second);
    EXPECT_TRUE(carry(a, b).ok());
    must(b, "UPDATE t SET v = " + third);
    EXPECT_TRUE(carry(b, a).ok());
    EXPECT_TRUE(carry(c, a).ok());
    EXPECT_TRUE(carry(c, b).ok());
    EXPECT_TRUE(carry(a, c).ok());
    EXPECT_TRUE(carry(b, c).ok());
  }
  /// Gives the size of what was sent.
  std::size_t tell(Site& from, Site& to) {
    const auto since = std::max(from.store().list().since_ms, to.store().list().since_ms);
    const auto sums = to.store().list_parts(256, since);
    const auto unit = from.store().list_unit(sums, since);
    EXPECT_TRUE(unit.ok()) << unit.status().to_string();
    const auto bytes = from.store().read(*unit, 0, unit->size);
    EXPECT_TRUE(to.store().stage(*unit, 0, *bytes).ok());
    const auto applied = to.store().apply_staged();
    EXPECT_TRUE(applied.ok()) << applied.status().to_string();
    EXPECT_EQ(applied->units.size(), 1u);
    return unit->size;
  }
  std::string listed(Site& s) {
    std::string out;
    const auto conflicts = s.store().conflicts().value();
    for (const auto& conflict : conflicts) {
      out += conflict.id + " " + conflict.value + " " + conflict.since + "\n";
    }
    return out;
  }
  /// An entry as a peer would tell it.
  void told(Site& to, const std::string& kind, const std::string& value, std::uint64_t at_ms) {
    codec::BodyWriter body;
    body.add_overruled({"t", core::Identity("row"), "v", kind, value, "", "why", at_ms});
    stage(to, body.finish());
    EXPECT_TRUE(to.store().apply_staged().ok());
  }
  core::UnitRef stage(Site& to, const Bytes& body) {
    core::Header header;
    header.kind = core::UnitKind::list;
    header.stream = {a.store().site(), 0, 0};
    const Bytes bytes = codec::encode_unit(header, body);
    const core::UnitRef ref{
        codec::decode_unit(bytes)->id, header.kind, header.stream, 0, 0, bytes.size(), 0};
    EXPECT_TRUE(to.store().stage(ref, 0, bytes).ok());
    return ref;
  }
  std::size_t entries(Site& s) { return s.store().conflicts()->size(); }

  World world;
  static constexpr const char* kSchema = "CREATE TABLE t(k INTEGER PRIMARY KEY, v, n)";
  Site a{world, "a", kSchema}, b{world, "b", kSchema}, c{world, "c", kSchema};
};

TEST_F(Lists, BecomeEqual) {
  three_writers("'first'", "'apart'", "'last'");
  ASSERT_EQ(a.dump("t"), c.dump("t"));
  ASSERT_NE(listed(a), listed(c)) << "nothing to tell";
  EXPECT_NE(a.store().list(), c.store().list());
  tell(a, c);
  tell(c, a);
  EXPECT_EQ(listed(a), listed(c));
  EXPECT_EQ(a.store().list(), c.store().list());
  EXPECT_EQ(a.dump("t"), c.dump("t"));
  EXPECT_EQ(a.store().digest().value(), c.store().digest().value());
}

TEST_F(Lists, SendWhatDiffers) {
  for (int i = 0; i < 300; ++i) {
    const auto value = std::to_string(i);
    must(a, "UPDATE t SET v = 'a" + value + "'");
    must(b, "UPDATE t SET v = 'b" + value + "'");
    exchange(a, b);
  }
  ASSERT_EQ(entries(a), 300u);
  EXPECT_GT(tell(a, c), 15'000u);
  told(a, "superseded", "'new'", 5);
  EXPECT_LT(tell(a, c), 1000u);
  EXPECT_EQ(listed(a), listed(c));
}

TEST_F(Lists, HoldOneEntryOfEachValueWhoeverTellsFirst) {
  const std::vector<std::pair<std::string, std::uint64_t>> all = {
      {"superseded", 10}, {"dismissed superseded", 10}, {"superseded", 20}, {"deleted", 10}};
  for (const auto& [kind, at] : all) told(a, kind, "'x'", at);
  for (auto it = all.rbegin(); it != all.rend(); ++it) told(b, it->first, "'x'", it->second);
  EXPECT_EQ(entries(a), 2u) << "written again after it was dismissed, and deleted";
  EXPECT_EQ(listed(a), listed(b));
  EXPECT_EQ(a.store().list(), b.store().list());
  for (Site* s : {&a, &b}) {
    told(*s, "dismissed superseded", "'x'", 20);
    told(*s, "superseded", "'x'", 20);
    EXPECT_EQ(entries(*s), 1u);
  }
  EXPECT_EQ(a.store().list(), b.store().list());
}

TEST_F(Lists, KeepTheNewestByWhenTheyWereWritten) {
  b.close();
  storage::StoreOptions few;
  few.conflicts_max = 3;
  b.open(few);
  for (const std::uint64_t at : {50, 10, 40, 20, 30}) {
    for (Site* s : {&a, &b}) told(*s, "superseded", std::to_string(at), at);
  }
  EXPECT_EQ(entries(a), 5u);
  ASSERT_EQ(entries(b), 3u);
  EXPECT_EQ(b.store().conflicts()->front().value, "30");
  EXPECT_EQ(b.store().list().since_ms, 31u);
  const auto nothing = tell(a, b);
  EXPECT_EQ(nothing, tell(b, a)) << "of what both keep they list the same";
  EXPECT_EQ(entries(b), 3u);
}

TEST_F(Lists, HoldNothingElse) {
  codec::BodyWriter body;
  core::Schema schema;
  schema.table = "t";
  schema.columns = {"k"};
  body.add_schema(schema);
  const auto bad = stage(b, body.finish());
  const auto applied = b.store().apply_staged();
  ASSERT_TRUE(applied.ok());
  ASSERT_EQ(applied->rejected.size(), 1u);
  EXPECT_EQ(applied->rejected[0].first.id, bad.id);
  EXPECT_NE(applied->rejected[0].second.to_string().find("something else"), std::string::npos);
}

}  // namespace
}  // namespace mycelial::test
