// SPDX-License-Identifier: Apache-2.0
// What the engine calls of others fails at the n-th time, for every n: a link that sends, a
// callback that hears of changes or of a word for the log, a merge policy. Nothing is lost or half
// done, the failure has a name, and things go on.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

#include "engine/engine.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/sql.hpp"

namespace mycelial::engine {
namespace {

using sim::Connection;

/// Counts calls, and fails the one that is meant.
struct Nth {
  int calls = 0, fails = 0;  ///< 0: none.
  bool now() { return ++calls == fails; }
};

class Longest final : public MergePolicy {
 public:
  explicit Longest(Nth& nth) : nth_(nth) {}
  std::string name() const override { return "longest"; }
  SqlValue merge(const PolicyVersion& a, const PolicyVersion& b) const override {
    if (nth_.now()) throw std::runtime_error("no idea");
    const bool first = a.value.bytes.size() != b.value.bytes.size()
                           ? a.value.bytes.size() > b.value.bytes.size()
                           : a.value.bytes > b.value.bytes;
    return first ? a.value : b.value;
  }

 private:
  Nth& nth_;
};

class CallsOut : public testing::Test {
 protected:
  struct Node {
    std::string path;
    std::shared_ptr<Engine> engine;
    void sql(const std::string& text) const {
      Connection db(path, nullptr);
      EXPECT_EQ(db.run(text), 0) << db.error();
    }
  };

  CallsOut() {
    sim::install_vfs();
    std::string pattern = testing::TempDir() + "/mycelial-calls-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~CallsOut() override {
    nodes_.clear();
    sim::disk().clear(folder_);
    std::filesystem::remove_all(folder_);
  }

  void open(Node& node) {
    Engine::Setup setup;
    setup.path = node.path;
    setup.options.environment = world_.environment();
    setup.options.watch = false;
    setup.options.policies = {std::make_shared<Longest>(merges_)};
    setup.options.log = [this](const std::string& line) {
      said_ += line + "\n";
      if (words_.now()) throw std::runtime_error("the log is full");
    };
    setup.publish_peers = false;
    auto opened = Engine::open(std::move(setup));
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    node.engine = *opened;
    ASSERT_TRUE(node.engine->track_all().ok());
    node.engine->on_change([this](const ChangeEvent&) {
      if (changes_.now()) throw 1;
    });
    ASSERT_TRUE(node.engine->add_transport(net_.transport(node.path)).ok());
    ASSERT_TRUE(node.engine->listen("sim://" + node.path).ok());
    if (&node == &nodes_[0]) return;
    ASSERT_TRUE(node.engine->connect("sim://" + nodes_[0].path).ok());
  }

  /// Two nodes that know each other, and have work to do.
  void begin() {
    nodes_.clear();
    sim::disk().clear(folder_);
    nodes_.resize(2);
    for (std::size_t i = 0; i < 2; ++i) {
      nodes_[i].path = folder_ + "/" + std::to_string(i) + ".db";
      nodes_[i].sql("CREATE TABLE t(id INTEGER PRIMARY KEY, v, w TEXT)");
      open(nodes_[i]);
    }
    ASSERT_TRUE(nodes_[0].engine->set_policy("t", "w", "longest").ok());
    world_.run(3000);
  }
  void work() {
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < 2; ++i) {
        const auto who = std::to_string(i);
        nodes_[i].sql("INSERT INTO t(v) VALUES('" + who +
                      "'); INSERT OR REPLACE INTO t VALUES(100, " + who + ", 'by " +
                      std::string(static_cast<std::size_t>(round) + i, 'x') + "')");
        if (round == 1) nodes_[i].sql("INSERT INTO t VALUES(20" + who + ", randomblob(20000), '')");
        nodes_[i].engine->poke();
      }
      world_.run(700);
    }
  }
  bool agree() {
    const auto a = nodes_[0].engine->digest(), b = nodes_[1].engine->digest();
    return a.ok() && b.ok() && *a == *b;
  }
  void expect_all_is_there() {
    for (int i = 0; i < 200 && !agree(); ++i) world_.run(1000);
    EXPECT_TRUE(agree());
    for (const auto& node : nodes_) {
      Connection db(node.path, nullptr);
      EXPECT_EQ(db.rows("SELECT count(*) FROM t WHERE typeof(v) = 'text'")[0][0], "6");
      EXPECT_EQ(db.rows("SELECT count(*) FROM t WHERE id IN (100, 200, 201)")[0][0], "3");
      const auto wrong = node.engine->check();
      ASSERT_TRUE(wrong.ok()) << wrong.status().to_string();
      EXPECT_EQ(*wrong, std::vector<std::string>());
    }
  }
  /// Fails each call in turn, until there are not so many.
  void each(Nth& nth, int at_least, const std::function<void()>& then) {
    int fails = 1;
    for (;; ++fails) {
      SCOPED_TRACE("call " + std::to_string(fails));
      begin();
      said_.clear();
      nth = {0, fails};
      work();
      const bool enough = nth.calls < fails;
      nth.fails = 0;
      const auto refuse = std::exchange(net_.refuse, nullptr);
      if (!enough && then) then();
      expect_all_is_there();
      net_.refuse = refuse;
      if (HasFailure()) FAIL() << said_;
      if (enough) break;
      ASSERT_LT(fails, 1000);
    }
    EXPECT_GT(fails, at_least);
  }

  sim::World world_;
  sim::Network net_{world_};
  std::string folder_, said_;
  std::vector<Node> nodes_;
  Nth sends_, words_, changes_, merges_;
};

TEST_F(CallsOut, ALinkThatBreaks) {
  net_.refuse = [this]() -> std::optional<SendOutcome> {
    return sends_.now() ? std::optional(SendOutcome::closed) : std::nullopt;
  };
  each(sends_, 10, nullptr);
}

TEST_F(CallsOut, ALinkThatHasNoRoom) {
  net_.refuse = [this]() -> std::optional<SendOutcome> {
    return sends_.now() ? std::optional(SendOutcome::would_block) : std::nullopt;
  };
  each(sends_, 10, nullptr);
}

TEST_F(CallsOut, ALinkThatThrows) {
  net_.refuse = [this]() -> std::optional<SendOutcome> {
    if (sends_.now()) throw std::runtime_error("radio is off");
    return std::nullopt;
  };
  each(sends_, 10, [this] { EXPECT_NE(said_.find("radio is off"), std::string::npos) << said_; });
}

TEST_F(CallsOut, AMessageThatIsLost) {
  net_.meddle = [this](std::string&) { return !sends_.now(); };
  each(sends_, 10, nullptr);
}

TEST_F(CallsOut, AChangeCallbackThatThrows) {
  each(changes_, 3, nullptr);
}

TEST_F(CallsOut, ALogThatThrows) {
  const auto break_some = [this]() -> std::optional<SendOutcome> {
    return ++sends_.calls % 5 == 0 ? std::optional(SendOutcome::closed) : std::nullopt;
  };
  net_.refuse = break_some;  // so that there is something to say
  each(words_, 1, [&] { EXPECT_NE(said_, ""); });
}

/// It stops the replica, as the interface says; nothing is lost, and the next one goes on.
TEST_F(CallsOut, AMergePolicyThatThrows) {
  each(merges_, 2, [this] {
    int stopped = 0;
    for (auto& node : nodes_) {
      const auto status = node.engine->status();
      ASSERT_TRUE(status.ok());
      if (status->last_error.empty()) continue;
      ++stopped;
      EXPECT_NE(status->last_error.find("no idea"), std::string::npos) << status->last_error;
      node.engine->close();
      open(node);
    }
    EXPECT_EQ(stopped, 1);
  });
}

/// The others get rows instead of the set that rotted, and people are told.
TEST_F(CallsOut, ADiskThatRots) {
  begin();
  net_.cut(true);
  work();
  ASSERT_TRUE(nodes_[0].engine->seal().ok());
  nodes_[0].sql(
      "UPDATE mycelial_set SET data = CAST(substr(data, 1, 400) || 'rotten' || substr(data, 407) "
      "AS "
      "BLOB) WHERE size > 10000");
  net_.cut(false);
  for (int i = 0; i < 100 && !agree(); ++i) world_.run(1000);
  EXPECT_TRUE(agree());
  const auto said = nodes_[0].engine->status();
  ASSERT_TRUE(said.ok());
  ASSERT_EQ(said->notes.size(), 1u);
  EXPECT_NE(said->notes[0].find("1 change sets kept for peers are damaged"), std::string::npos);
  const auto wrong = nodes_[0].engine->check();
  ASSERT_TRUE(wrong.ok());
  ASSERT_EQ(wrong->size(), 1u);
  EXPECT_NE((*wrong)[0].find("is damaged: is the disk sound?"), std::string::npos) << (*wrong)[0];
  EXPECT_EQ(*nodes_[1].engine->check(), std::vector<std::string>());
}

}  // namespace
}  // namespace mycelial::engine
