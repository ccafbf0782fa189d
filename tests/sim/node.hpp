// SPDX-License-Identifier: Apache-2.0
// Node: a machine with a database file, an application, and an engine that comes and goes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.hpp"
#include "tests/sim/client.hpp"
#include "tests/sim/context.hpp"

namespace mycelial::sim {

/// A wall clock that is wrong.
class NodeClock final : public Clock {
 public:
  explicit NodeClock(World& world) : world_(world) {}
  std::uint64_t monotonic_ms() noexcept override { return world_.monotonic_ms(); }
  std::uint64_t wall_ms() noexcept override {
    const auto now = static_cast<double>(world_.monotonic_ms());
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(World::kEpochMs) + offset_ms +
                                      static_cast<std::int64_t>(now * rate));
  }
  std::int64_t offset_ms = 0;
  double rate = 1;

 private:
  World& world_;
};

class Node {
 public:
  /// The file exists, with the application's tables.
  Node(Context& context, std::string name, int number);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }
  std::string endpoint() const { return "sim://" + name_; }
  NodeClock& clock() { return clock_; }
  Client& client() { return *client_; }
  bool up() const { return engine_ != nullptr; }

  void start();  ///< Opens the engine; a busy file leaves the node down.
  void stop();   ///< Closes it properly.
  void kill();   ///< SIGKILL, now.
  /// SIGKILL during one of its next operations on files; `power`: the whole machine goes down.
  void kill_soon(std::uint64_t operations, bool power = false);
  /// The machine goes down, with all that no file was synced for, and comes up without the engine.
  void lose_power();
  /// Something is wrong with the drive, until mend().
  void trouble(Drive::Trouble what, std::uint64_t spared, bool once);
  void mend();
  /// Lets the engine look at tables that the application has made anew.
  void look_at_rebuilt();
  /// Buries a program that was killed while it ran.
  void reap();
  /// Runs `work` on the engine, as its program.
  template <class F>
  void on_engine(F&& work) {
    if (!up()) return;
    {
      const Running as(&process_->program);
      work(*engine_);
    }
    reap();
  }
  /// Takes a copy of the database, as `cp` would, or puts one in its place; the engine is down.
  struct Copy {
    std::string path;
    Moment then;
    std::uint64_t transactions = 0;  ///< Made by anybody until then.
  };
  std::optional<Copy> copy_to(const std::string& path);
  void restore(const Copy& copy);

  std::vector<std::string> peers;  ///< Endpoints to dial.
  std::uint64_t tail_bytes = 0;    ///< ReplicaOptions::tail_bytes_max
  std::uint64_t retention_s = 0;   ///< ReplicaOptions::retention_s
  std::uint64_t collect_every_ms = 60'000;
  std::size_t collect_worth = 200;
  double interference = 0;  ///< See Context.

 private:
  /// A run of the engine's program: its tasks end with it.
  struct Process final : public Executor {
    Process(World& w, std::function<void()> then) : world(w), worked(std::move(then)) {}
    void post(Task task) override { post_at(world.monotonic_ms(), std::move(task)); }
    void post_at(std::uint64_t at, Task task) override;
    World& world;
    std::function<void()> worked;  // called after each task
    Program program;
  };
  Status open_engine();
  Status choose_policies();
  void between();
  void wake();
  void gone();
  bool harms(Plant::When when) const { return c_.plant != nullptr && c_.plant->when == when; }
  void tear_side_files();

  Context& c_;
  const std::string name_;
  const int number_;
  const std::string path_;
  NodeClock clock_;
  Drive drive_;
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<Process>> processes_;  // all that ever ran
  Process* process_ = nullptr;
  std::shared_ptr<engine::Engine> engine_;
  bool power_fails_ = false;  // with the next death of the process
  bool inside_ = false;       // the application is acting between two statements of the engine
};

}  // namespace mycelial::sim
