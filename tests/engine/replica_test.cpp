// SPDX-License-Identifier: Apache-2.0
// Replica on real files, threads and sockets.
#include "mycelial/replica.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

namespace mycelial {
namespace {

/// The application: a connection of its own.
class Database {
 public:
  explicit Database(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    sqlite3_busy_timeout(db_, 10'000);
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  void run(const std::string& sql) {
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << sql << ": " << (message != nullptr ? message : "");
    sqlite3_free(message);
  }
  std::string ask(const std::string& sql) {
    std::string out;
    const auto add = [](void* to, int columns, char** values, char**) {
      for (int i = 0; i < columns; ++i) {
        *static_cast<std::string*>(to) += values[i] == nullptr ? "NULL" : values[i];
        *static_cast<std::string*>(to) += i + 1 < columns ? "|" : "\n";
      }
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), add, &out, nullptr), SQLITE_OK) << sql;
    return out;
  }

 private:
  sqlite3* db_ = nullptr;
};

class ReplicaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("mycelial_replica_") + info->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// A file with one table, and a replica of it that tracks the table.
  std::unique_ptr<Replica> make(const std::string& name) {
    Database(path(name)).run("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v TEXT)");
    auto replica = Replica::open(path(name));
    EXPECT_TRUE(replica.ok()) << replica.status().to_string();
    if (!replica.ok()) return nullptr;
    const Status tracked = (*replica)->track("t");
    EXPECT_TRUE(tracked.ok()) << tracked.to_string();
    return std::move(replica).value();
  }

  std::filesystem::path folder_;
};

/// Waits for a condition that something in the background brings about.
template <class F>
bool eventually(F&& condition) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    never.wait_for(lock, std::chrono::milliseconds(10));
  }
  return false;
}

TEST_F(ReplicaTest, OpensOnlyWhatIsThere) {
  EXPECT_EQ(Replica::open(path("absent.db")).status().code(), Errc::not_found);
  auto created = Replica::open(path("absent.db"), {}, true);
  ASSERT_TRUE(created.ok()) << created.status().to_string();
  EXPECT_EQ((*created)->track("t").code(), Errc::not_found);
}

TEST_F(ReplicaTest, OneAtATimeTakesTheLinks) {
  const auto a = make("a.db");
  ASSERT_TRUE(a);
  EXPECT_EQ(Replica::open(path("a.db")).status().code(), Errc::busy);
  ReplicaOptions look;
  look.exclusive = false;
  auto second = Replica::open(path("a.db"), look);
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_TRUE((*second)->status().ok());
  EXPECT_EQ((*second)->connect("tcp://127.0.0.1:1").code(), Errc::unsupported);
}

class Networks : public ReplicaTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Networks, TwoFilesMeet) {
  const auto a = make("a.db"), b = make("b.db");
  ASSERT_TRUE(a && b);
  const auto endpoint = a->listen(GetParam());
  ASSERT_TRUE(endpoint.ok()) << endpoint.status().to_string();
  Database(path("a.db")).run("INSERT INTO t VALUES (1, 'from a')");
  Database(path("b.db")).run("INSERT INTO t VALUES (2, 'from b')");
  const Status synced = b->sync(*endpoint, 20'000);
  ASSERT_TRUE(synced.ok()) << synced.to_string();
  const std::string all = "1|from a\n2|from b\n";
  EXPECT_EQ(Database(path("a.db")).ask("SELECT * FROM t ORDER BY id"), all);
  EXPECT_EQ(Database(path("b.db")).ask("SELECT * FROM t ORDER BY id"), all);
  EXPECT_EQ(*a->digest(), *b->digest());

  ASSERT_TRUE(b->connect(*endpoint).ok());
  Database(path("b.db")).run("UPDATE t SET v = 'changed' WHERE id = 1");
  EXPECT_TRUE(eventually(
      [&] { return Database(path("a.db")).ask("SELECT v FROM t WHERE id = 1") == "changed\n"; }));
}

INSTANTIATE_TEST_SUITE_P(All, Networks,
                         ::testing::Values("memory://replica-test", "tcp://127.0.0.1:0"));

TEST_F(ReplicaTest, SyncWithNobodyFails) {
  const auto a = make("a.db");
  ASSERT_TRUE(a);
  EXPECT_FALSE(a->sync("memory://nobody-is-there", 10'000).ok());
  EXPECT_EQ(a->sync("nonsense", 10'000).code(), Errc::invalid_argument);
}

TEST_F(ReplicaTest, CallbacksMayNotCallIn) {
  const auto a = make("a.db"), b = make("b.db");
  ASSERT_TRUE(a && b);
  std::mutex mutex;
  Errc code = Errc::ok;
  bool called = false;
  b->on_change([&](const ChangeEvent& event) {
    const std::lock_guard lock(mutex);
    code = b->seal().code();
    called = event.tables == std::vector<std::string>{"t"} && event.rows == 1;
  });
  const auto endpoint = a->listen("memory://callbacks");
  ASSERT_TRUE(endpoint.ok());
  Database(path("a.db")).run("INSERT INTO t VALUES (1, 'x')");
  ASSERT_TRUE(b->sync(*endpoint, 20'000).ok());
  const std::lock_guard lock(mutex);
  EXPECT_TRUE(called);
  EXPECT_EQ(code, Errc::invalid_argument);
}

TEST_F(ReplicaTest, CloseIsQuickAndFinal) {
  auto a = make("a.db");
  ASSERT_TRUE(a);
  ASSERT_TRUE(a->connect("tcp://127.0.0.1:9").ok());
  std::thread waiting([&] { EXPECT_FALSE(a->sync("tcp://127.0.0.1:9", 60'000).ok()); });
  a->close();
  waiting.join();
  EXPECT_EQ(a->track("t").code(), Errc::closed);
  EXPECT_EQ(a->status().status().code(), Errc::closed);
  a->close();
  EXPECT_TRUE(make("a.db")) << "the lease is free again";
}

TEST_F(ReplicaTest, WritesDuringSyncAllArrive) {
  const auto a = make("a.db"), b = make("b.db");
  ASSERT_TRUE(a && b);
  const auto endpoint = a->listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(endpoint.ok());
  ASSERT_TRUE(b->connect(*endpoint).ok());
  const auto write = [&](const std::string& name, int first) {
    Database db(path(name));
    for (int i = first; i < first + 200; ++i) {
      db.run("INSERT INTO t VALUES (" + std::to_string(i) + ", 'x')");
    }
  };
  std::thread one(write, "a.db", 0), two(write, "b.db", 1000);
  one.join();
  two.join();
  for (const char* name : {"a.db", "b.db"}) {
    EXPECT_TRUE(eventually([&] {
      return Database(path(name)).ask("SELECT count(*) FROM t") == "400\n";
    })) << name;
  }
}

TEST_F(ReplicaTest, ASecondProcessSeesThePeers) {
  const auto a = make("a.db"), b = make("b.db");
  ASSERT_TRUE(a && b);
  const auto endpoint = a->listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(endpoint.ok());
  ASSERT_TRUE(b->connect(*endpoint).ok());
  ReplicaOptions look;
  look.exclusive = false;
  const auto second = Replica::open(path("b.db"), look);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(eventually([&] {
    const auto status = (*second)->status();
    return status.ok() && status->peers.size() == 1 && status->peers[0].endpoint == *endpoint &&
           status->peers[0].connected && status->peers[0].in_sync;
  }));
}

}  // namespace
}  // namespace mycelial
