// SPDX-License-Identifier: Apache-2.0
// Memory runs out at the n-th request, whoever makes it, for n = 1, 2, 3, ...: the call says so,
// nothing is lost or half done, and the next attempt succeeds.
#include <gtest/gtest.h>

#include <functional>

#include "tests/storage/scarce_memory.hpp"
#include "tests/storage/site.hpp"

namespace mycelial::test {
namespace {

class Memory : public testing::Test {
 protected:
  Memory() {
    for (Site* s : {&a, &b}) EXPECT_TRUE(s->store().track_all().ok());
    must(a, "INSERT INTO t(v) VALUES('first')");
    must(a, "INSERT INTO w VALUES('first', 1)");
    meet();
  }
  void meet() { exchange(a, b); }
  /// `prepare` gives `act` something to do, however the attempt before it ended.
  void each(const std::function<void(int round)>& prepare, const std::function<Status()>& act) {
    int failed = 0;
    for (std::int64_t n = 0;; n += 1 + n / 24) {
      prepare(static_cast<int>(n));
      if (HasFatalFailure()) return;
      refuse_memory_after(n);
      const Status status = attempt(act);
      if (memory_suffices()) {  // it needs no more
        EXPECT_TRUE(status.ok()) << status.to_string();
        break;
      }
      if (status.ok()) continue;  // it could do without
      ++failed;
      const bool said = status.code() == Errc::out_of_memory || status.code() == Errc::io;
      EXPECT_TRUE(said) << "request " << n << ": " << status.to_string();
    }
    EXPECT_GT(failed, 3);
    sound();
  }
  static Status attempt(const std::function<Status()>& act) {
    try {
      return act();
    } catch (const std::bad_alloc&) {  // whoever calls a Store catches that
      return {Errc::out_of_memory, "thrown"};
    }
  }
  void sound() {
    must(a, "INSERT INTO t(v) VALUES('last " + std::to_string(++tried) + "')");
    meet();
    EXPECT_EQ(a.rows("SELECT k, v FROM t ORDER BY k"), b.rows("SELECT k, v FROM t ORDER BY k"));
    EXPECT_EQ(a.rows("SELECT * FROM w ORDER BY k"), b.rows("SELECT * FROM w ORDER BY k"));
    for (Site* s : {&a, &b}) {
      EXPECT_EQ(*s->store().check(), std::vector<std::string>());
      EXPECT_EQ(s->rows("PRAGMA integrity_check"), "ok");
    }
  }

  static constexpr const char* kSchema =
      "CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE, n);"
      "CREATE TABLE w(k TEXT PRIMARY KEY, n) WITHOUT ROWID;"
      "CREATE TABLE log(what)";
  const std::string drop = "ALTER TABLE t DROP COLUMN n";
  int tried = 0;
  World world;
  Site a{world, "a", kSchema}, b{world, "b", kSchema};
};

TEST_F(Memory, WhileSealing) {
  each(
      [&](int round) {
        const auto n = std::to_string(round);
        must(a, "INSERT INTO t(v) VALUES('s" + n + "'); INSERT OR REPLACE INTO w VALUES('k', " + n +
                    "); INSERT INTO log VALUES(" + n + "); UPDATE t SET n = " + n +
                    " WHERE k = 1; DELETE FROM log WHERE rowid % 3 = 0");
      },
      [&] { return a.store().seal().status(); });
}

TEST_F(Memory, WhileApplying) {
  each(
      [&](int round) {
        const auto n = std::to_string(round);
        must(a, "INSERT INTO t(v, n) VALUES('a" + n + "', 1); INSERT INTO log VALUES(" + n +
                    "); UPDATE w SET n = " + n + "; DELETE FROM t WHERE k % 5 = 0");
        must(b, "INSERT INTO t(v, n) VALUES('b" + n + "', 2)");
      },
      [&] { return carry(a, b); });
}

TEST_F(Memory, WhileMakingAndTakingACut) {
  std::unique_ptr<Site> c;
  each(
      [&](int) {
        c.reset();
        c = std::make_unique<Site>(world, "c", kSchema);
        ASSERT_TRUE(c->store().track_all().ok());
      },
      [&] { return carry(a, *c, Carry::cut); });
  ASSERT_TRUE(carry(a, *c).ok());
  EXPECT_EQ(*a.store().digest(), *c->store().digest());
}

TEST_F(Memory, WhileTrackingAndUntracking) {
  const auto track = [&](int) { ASSERT_TRUE(a.store().track("log").ok()); };
  each(
      [&](int round) {
        track(round);
        ASSERT_TRUE(a.store().untrack("log").ok());
      },
      [&] { return a.store().track("log"); });
  each(track, [&] { return a.store().untrack("log"); });
}

TEST_F(Memory, WhileTheSchemaChanges) {
  each(
      [&](int round) {
        if (a.rows("SELECT count(*) FROM pragma_table_info('t') WHERE name = 'n'") == "0") {
          must(a, "ALTER TABLE t ADD COLUMN n");
        }
        must(a, "UPDATE t SET n = " + std::to_string(round));
      },
      [&] { return a.store().alter(drop); });
}

TEST_F(Memory, WhileDeciding) {
  int round = 0;
  each(
      [&](int) {
        for (; a.store().conflicts()->empty(); ++round) {
          must(a, "UPDATE w SET n = 'a" + std::to_string(round) + "'");
          must(b, "UPDATE w SET n = 'b" + std::to_string(round) + "'");
          meet();
        }
      },
      [&] {
        const auto listed = a.store().conflicts();
        if (!listed.ok()) return listed.status();
        return a.store().resolve(listed->at(0).id, {Resolution::Kind::restore, {}, {}});
      });
}

TEST_F(Memory, WhileLooking) {
  const auto nothing = [](int) {};
  each(nothing, [&] { return a.store().status().status(); });
  each(nothing, [&] { return a.store().check().status(); });
  each(nothing, [&] { return a.store().digest().status(); });
  each(nothing, [&] { return a.store().conflicts().status(); });
  each(nothing, [&] { return a.store().describe_members().status(); });
}

TEST_F(Memory, WhileOpening) {
  each([&](int) { a.close(); },
       [&] {
         storage::StoreOptions options;
         options.clock = &world.clock;
         options.entropy = &world.entropy;
         options.synchronous_full = false;
         const Status status = storage::Store::open(a.path(), options).status();
         memory_suffices();
         a.open();
         return status;
       });
}

}  // namespace
}  // namespace mycelial::test
