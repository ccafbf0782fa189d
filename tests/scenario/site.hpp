// SPDX-License-Identifier: Apache-2.0
// Site: a machine of a scenario, with a database file, an application's connections that know
// nothing of mycelial, and an engine that comes and goes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/sql.hpp"

namespace mycelial::scenario {

/// What a piece of SQL gave.
struct Answer {
  bool has_rows = false;          ///< Some statement is a query.
  std::vector<std::string> rows;  ///< Values joined by |, as the sqlite3 shell shows them.
  std::string error;              ///< Empty: none.
};

/// A table as somebody reads it.
struct Contents {
  std::vector<std::string> columns;
  std::vector<std::map<std::string, std::string>> rows;  ///< Literals by column.
};

class Site {
 public:
  /// The file may exist.
  Site(sim::World& world, sim::Network& network, const std::string& folder, std::string name);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }
  std::string endpoint() const { return "sim://" + name_; }
  bool up() const { return engine_ != nullptr; }

  Status start();
  void stop();
  void crash();
  void lose_power();
  void restore(const std::string& from);  ///< Another file in the place of this one.
  void copy_to(const std::string& path);
  void reconnect();

  /// As the application; `connection` names one of several.
  Answer run(const std::string& sql, const std::string& connection);
  template <class F>
  auto on_engine(F&& work) {
    const sim::Running as(&process_->program);
    return work(*engine_);
  }
  /// As the engine, or as a command beside it while it is down.
  Result<std::vector<TrackedTable>> track_all();
  Status track(const std::string& table);
  Status untrack(const std::string& table);
  Status untrack_all();
  Status alter(const std::string& sql);
  Status resolve(const std::string& conflict, const Resolution& how);
  Status set_policy(const std::string& table, const std::string& column, const std::string& policy);

  /// By site, its last set: number and chain hash.
  std::map<std::string, std::pair<std::uint64_t, std::string>> sets_held();
  bool is_synced();    ///< Something is tracked, or was and is kept for others.
  bool has_pending();  ///< Captured and not sealed.
  std::map<std::string, Contents> tracked_tables();
  std::vector<sim::Row> read(const std::string& sql);  ///< Literals; none if that fails.

  void set_clock(std::int64_t offset_ms) { clock_.offset_ms = offset_ms; }
  std::int64_t wrong_ms = 0;       ///< How far its clock is off.
  std::vector<std::string> peers;  ///< Endpoints to dial.

 private:
  struct Process final : public Executor {
    explicit Process(sim::World& w) : world(w) {}
    void post(Task task) override { post_at(world.monotonic_ms(), std::move(task)); }
    void post_at(std::uint64_t at, Task task) override;
    sim::World& world;
    sim::Program program;
  };
  void open();
  void close();
  engine::Engine::Setup setup(Process& process, bool exclusive);
  template <class F>
  auto as_command(F&& work) -> decltype(work(std::declval<engine::Engine&>()));

  sim::World& world_;
  sim::Network& network_;
  const std::string name_, path_;
  sim::NodeClock clock_;
  sim::Program program_, observer_;
  std::map<std::string, std::unique_ptr<sim::Connection>> connections_;
  std::unique_ptr<sim::Connection> reader_;
  std::vector<std::unique_ptr<Process>> processes_;
  Process* process_ = nullptr;
  std::shared_ptr<engine::Engine> engine_;
};

}  // namespace mycelial::scenario
