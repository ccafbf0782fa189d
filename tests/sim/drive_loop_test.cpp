// SPDX-License-Identifier: Apache-2.0
// The n-th operation on a file fails, for n = 1, 2, 3, ..., once or from then on, by reading,
// writing, syncing, or because the drive is full: the call says so, nothing is lost or half done,
// and the next attempt succeeds.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <string>

#include "storage/store.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/sql.hpp"
#include "tests/sim/vfs.hpp"
#include "tests/sim/world.hpp"

namespace mycelial::sim {
namespace {

using Trouble = Drive::Trouble;

/// Site a is well; b's drive fails.
class DriveLoop : public testing::TestWithParam<Trouble> {
 protected:
  DriveLoop() {
    install_vfs();
    seed_vfs(1);
    std::string pattern = testing::TempDir() + "/mycelial-loop-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    program_.clock = &world_;
    program_.drive = &drive_;
    program_.syncs_may_fail = true;
    for (const char* name : {"a", "b"}) {
      sql(name,
          "CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE, n);"
          "CREATE TABLE w(k TEXT PRIMARY KEY, n) WITHOUT ROWID;"
          "CREATE TABLE log(what)");
    }
    a_ = open("a", nullptr);
    b_ = open("b", &program_);
    for (auto* store : {a_.get(), b_.get()}) EXPECT_TRUE(store->track_all().ok());
    sql("a", "INSERT INTO t(v) VALUES('first'); INSERT INTO w VALUES('first', 1)");
    meet();
  }
  ~DriveLoop() override {
    {
      const Running as(&program_);
      b_ = nullptr;
    }
    a_ = nullptr;
    disk().clear(folder_);
    std::filesystem::remove_all(folder_);
  }

  std::string file(const std::string& name) const { return folder_ + "/" + name + ".db"; }
  std::unique_ptr<storage::Store> open(const std::string& name, Program* program) {
    auto store = try_open(name, program);
    EXPECT_TRUE(store.ok()) << store.status().to_string();
    return store.ok() ? std::move(*store) : nullptr;
  }
  Result<std::unique_ptr<storage::Store>> try_open(const std::string& name, Program* program) {
    const Running as(program);
    storage::StoreOptions options;
    options.clock = &world_;
    options.entropy = &world_;
    return storage::Store::open(file(name), options);
  }
  void sql(const std::string& name, const std::string& statements) {
    world_.run(10);
    Connection db(file(name), nullptr);
    ASSERT_EQ(db.run(statements), 0) << statements << ": " << db.error();
  }
  std::string rows(const std::string& name, const std::string& query) {
    Connection db(file(name), nullptr);
    int code = 0;
    std::string out;
    for (const auto& row : db.rows(query, &code)) {
      for (const auto& value : row) out += value + "|";
    }
    return out;
  }
  static Status pass(storage::Store& from, storage::Store& to, bool cut) {
    if (const auto sealed = from.seal(); !sealed.ok()) return sealed.status();
    std::vector<core::UnitRef> units;
    if (cut) {
      const auto made = from.cut({to.have().begin(), to.have().end()}, {});
      if (!made.ok()) return made.status();
      units = {*made};
    }
    for (const auto& [stream, tip] : from.have()) {
      const auto held = to.have().find(stream);
      const auto first = held == to.have().end() ? 1 : held->second.seq + 1;
      if (cut || first > tip.seq) continue;
      const auto tail = from.tail(stream, first, tip.seq);
      if (!tail) return {Errc::io, "the tail cannot be read"};
      units.insert(units.end(), tail->begin(), tail->end());
    }
    for (const auto& unit : units) {
      const auto bytes = from.read(unit, 0, unit.size);
      if (!bytes.ok()) return bytes.status();
      if (const Status staged = to.stage(unit, 0, *bytes); !staged.ok()) return staged;
    }
    return to.apply_staged().status();
  }
  Status send(storage::Store& from, storage::Store& to) {
    const Running as(&program_);
    return pass(from, to, false);
  }
  void meet() {
    for (int i = 0; i < 2; ++i) {
      const Status there = send(*a_, *b_), back = send(*b_, *a_);
      ASSERT_TRUE(there.ok()) << there.to_string();
      ASSERT_TRUE(back.ok()) << back.to_string();
    }
  }

  /// `prepare` gives `act` something to do, however the attempt before it ended.
  void each(const std::function<void(int)>& prepare, const std::function<Status()>& act) {
    for (const bool once : {true, false}) {
      bool whole = false;  // nothing was left to fail
      for (std::uint64_t spared = 0; spared < 400; spared += 1 + spared / 16) {
        prepare(static_cast<int>(spared));
        if (HasFatalFailure()) return;
        const Running as(&program_);
        drive_.trouble = GetParam();
        drive_.spared = spared;
        drive_.once = once;
        drive_.strikes = 0;
        const Status status = act();
        drive_.trouble = Trouble::none;
        if (drive_.strikes == 0) {
          EXPECT_TRUE(status.ok()) << status.to_string();
          whole = true;
          break;
        }
        if (status.ok()) continue;  // it could do without
        ++failures_;
        EXPECT_EQ(status.code(), Errc::io) << "operation " << spared << ": " << status.to_string();
        const Status again = act();
        EXPECT_TRUE(again.ok()) << "after operation " << spared << ": " << again.to_string();
      }
      EXPECT_TRUE(whole) << "operations beyond the bound were not tried";
    }
    sound();
  }
  void sound() {
    sql("b", "INSERT INTO t(v) VALUES('last " + std::to_string(++tried_) + "')");
    meet();
    for (const char* query : {"SELECT k, v FROM t ORDER BY k", "SELECT * FROM w ORDER BY k"}) {
      EXPECT_EQ(rows("a", query), rows("b", query));
    }
    const Running as(&program_);
    EXPECT_EQ(*b_->check(), std::vector<std::string>());
    EXPECT_EQ(rows("b", "PRAGMA integrity_check"), "'ok'|");
  }

  World world_;
  Drive drive_;
  Program program_;
  std::string folder_;
  std::unique_ptr<storage::Store> a_, b_;
  int tried_ = 0, failures_ = 0;
};

TEST_P(DriveLoop, WhileSealing) {
  each(
      [&](int round) {
        const auto n = std::to_string(round);
        sql("b", "INSERT INTO t(v) VALUES('s" + n + std::to_string(++tried_) +
                     "'); INSERT OR REPLACE INTO w VALUES('k', " + n +
                     "); INSERT INTO log VALUES(" + n + "); UPDATE t SET n = " + n +
                     " WHERE k = 1; DELETE FROM log WHERE rowid % 3 = 0");
      },
      [&] { return b_->seal().status(); });
}

TEST_P(DriveLoop, WhileApplying) {
  each(
      [&](int round) {
        const auto n = std::to_string(round);
        sql("a", "INSERT INTO t(v, n) VALUES('a" + n + std::to_string(++tried_) +
                     "', 1); INSERT INTO log VALUES(" + n + "); UPDATE w SET n = " + n +
                     "; DELETE FROM t WHERE k % 5 = 0");
        sql("b", "INSERT INTO t(v, n) VALUES('b" + n + std::to_string(tried_) + "', 2)");
      },
      [&] { return pass(*a_, *b_, false); });
}

TEST_P(DriveLoop, WhileACutIsMadeOrTaken) {
  const auto prepare = [&](int round) {
    sql("a", "UPDATE w SET n = 'a" + std::to_string(round) + "'");
    sql("b", "INSERT INTO log VALUES('b" + std::to_string(round) + "')");
  };
  each(prepare, [&] { return pass(*b_, *a_, true); });
  each(prepare, [&] { return pass(*a_, *b_, true); });
}

TEST_P(DriveLoop, WhileTrackingAndUntracking) {
  const auto track = [&](int) {
    const Running as(&program_);
    ASSERT_TRUE(b_->track("log").ok());
  };
  each(
      [&](int round) {
        track(round);
        const Running as(&program_);
        ASSERT_TRUE(b_->untrack("log").ok());
      },
      [&] { return b_->track("log"); });
  each(track, [&] {
    const Status status = b_->untrack("log");
    return status.code() == Errc::not_found ? Status() : status;  // the first attempt had done it
  });
}

TEST_P(DriveLoop, WhileTheSchemaChanges) {
  each(
      [&](int round) {
        if (rows("b", "SELECT count(*) FROM pragma_table_info('t') WHERE name = 'n'") == "0|") {
          sql("b", "ALTER TABLE t ADD COLUMN n");
        }
        sql("b", "UPDATE t SET n = " + std::to_string(round));
      },
      [&] {
        if (rows("b", "SELECT count(*) FROM pragma_table_info('t') WHERE name = 'n'") == "0|") {
          return Status();  // the first attempt had done it
        }
        return b_->alter("ALTER TABLE t DROP COLUMN n");
      });
}

TEST_P(DriveLoop, WhileDecidingAndTellingConflicts) {
  int round = 0;
  const auto conflict = [&](int) {
    for (; a_->conflicts()->empty(); ++round) {
      sql("a", "UPDATE w SET n = 'a" + std::to_string(round) + "'");
      sql("b", "UPDATE w SET n = 'b" + std::to_string(round) + "'");
      meet();
    }
  };
  each(conflict, [&] {
    const auto listed = b_->conflicts();
    if (!listed.ok()) return listed.status();
    if (listed->empty()) return Status();
    return b_->resolve(listed->at(0).id, {Resolution::Kind::restore, {}, {}});
  });
  each(conflict, [&] {
    const std::uint32_t none[] = {1};
    const auto unit = b_->list_unit(none, 0);
    return unit.ok() ? b_->read(*unit, 0, unit->size).status() : unit.status();
  });
}

TEST_P(DriveLoop, WhileChoosingAPolicyAndForgetting) {
  int round = 0;
  each([&](int) { ++round; },
       [&] { return b_->set_policy("log", "what", round % 2 ? "max" : "min"); });
  each([&](int) { sql("b", "DELETE FROM t WHERE k = (SELECT max(k) FROM t)"); },
       [&] {
         world_.run(120'000);
         for (;;) {
           const auto more = b_->collect();
           if (!more.ok()) return more.status();
           if (!*more) return Status();
         }
       });
}

TEST_P(DriveLoop, WhileLooking) {
  const auto nothing = [](int) {};
  each(nothing, [&] { return b_->status().status(); });
  each(nothing, [&] { return b_->check().status(); });
  each(nothing, [&] { return b_->digest().status(); });
  each(nothing, [&] { return b_->conflicts().status(); });
  each(nothing, [&] { return b_->describe_members().status(); });
}

TEST_P(DriveLoop, WhileOpening) {
  each([&](int) { b_ = nullptr; },
       [&] {
         auto opened = try_open("b", &program_);
         if (!opened.ok()) return opened.status();
         b_ = std::move(*opened);
         return Status();
       });
  EXPECT_GT(failures_, 2);
}

std::string name_of(const testing::TestParamInfo<Trouble>& trouble) {
  static constexpr const char* kNames[] = {"", "Full", "Read", "Write", "Sync"};
  return kNames[static_cast<int>(trouble.param)];
}

INSTANTIATE_TEST_SUITE_P(Fails, DriveLoop,
                         testing::Values(Trouble::full, Trouble::read, Trouble::write,
                                         Trouble::sync),
                         name_of);

}  // namespace
}  // namespace mycelial::sim
