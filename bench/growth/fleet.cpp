// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "growth/growth.hpp"
#include "macro/database.hpp"
#include "macro/lab.hpp"
#include "macro/node.hpp"
#include "mycelial/replica.hpp"

namespace mycelial::bench {
namespace {

constexpr int kRowsEach = 5;
constexpr int kRounds = 5;

void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  std::exit(1);
}

/// One replica and an application's connection to its file.
struct Member {
  std::unique_ptr<Database> client;
  std::unique_ptr<Replica> replica;
};

/// Replica i > 0 has a link to replica (i - 1) / 2.
class Fleet {
 public:
  Fleet(const std::string& folder, int size) {
    for (int i = 0; i < size; ++i) {
      const auto path = folder + "/fleet-" + std::to_string(i) + ".db";
      remove_database(path);
      Member m;
      m.client = std::make_unique<Database>(path);
      m.client->exec("CREATE TABLE t(who INTEGER, n INTEGER)");
      auto opened = Replica::open(path);
      must(opened.status());
      m.replica = std::move(*opened);
      must(m.replica->track("t"));
      must(m.replica->listen("memory://" + std::to_string(i)).status());
      if (i > 0) must(m.replica->connect("memory://" + std::to_string((i - 1) / 2)));
      members_.push_back(std::move(m));
    }
  }

  void write(int who) {
    members_[static_cast<std::size_t>(who)].client->exec("INSERT INTO t VALUES(" +
                                                         std::to_string(who) + ", random())");
    ++rows_;
  }
  void converge() {
    for (auto& m : members_) {
      while (m.client->integer("SELECT count(*) FROM t") != rows_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
  /// Of the bookkeeping in one file.
  double bytes() {
    double sum = 0;
    for (auto& m : members_) {
      must(m.replica->seal());
      sum += static_cast<double>(m.client->integer(
          "SELECT sum(payload) FROM dbstat WHERE name GLOB 'mycelial_*' AND name <> "
          "'mycelial_set'"));
    }
    return sum / static_cast<double>(members_.size());
  }

 private:
  std::vector<Member> members_;
  std::int64_t rows_ = 0;
};

}  // namespace

void grow_fleet(Growth& growth) {
  for (int size = 2; size <= growth.replicas_max; size *= 2) {
    Fleet fleet(growth.folder, size);
    for (int k = 0; k < kRowsEach; ++k) {
      for (int i = 0; i < size; ++i) fleet.write(i);
    }
    fleet.converge();
    std::vector<double> wall;
    for (int round = 0; round < kRounds; ++round) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      const auto t = timed([&] {
        fleet.write((round * 37 + size - 1) % size);
        fleet.converge();
      });
      wall.push_back(t.wall_s * 1e3);
    }
    growth.add("delay", "until all have a change", "ms", size, spread_of(wall).median);
    growth.add("books", "bookkeeping in a file", "bytes", size, fleet.bytes());
  }
}

}  // namespace mycelial::bench
