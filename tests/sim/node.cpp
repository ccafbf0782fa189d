// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace mycelial::sim {

void Node::Process::post_at(std::uint64_t at, Task task) {
  world.post_at(at, [this, task = std::move(task)] {
    if (program.dead) return;
    const Running as(&program);
    task();
  });
}

Node::Node(Context& context, std::string name, int number)
    : c_(context),
      name_(std::move(name)),
      number_(number),
      path_(c_.folder + "/" + name_ + ".db"),
      clock_(c_.world) {
  client_ = std::make_unique<Client>(c_, name_, number_, path_, clock_);
  client_->on_commit = [this] { wake(); };
}

Node::~Node() {
  if (up()) kill();
}

/// What the watcher of the file does, and sometimes fails to do.
void Node::wake() {
  if (!up()) return;
  c_.ledger.observed(client_->moment());
  if (c_.random.chance(0.3)) return;
  c_.world.post_at(c_.world.monotonic_ms() + c_.random.below(20), [this, process = process_] {
    if (process == process_) on_engine([](engine::Engine& e) { e.poke(); });
  });
}

void Node::start() {
  if (up()) return;
  processes_.push_back(std::make_unique<Process>(c_.world));
  process_ = processes_.back().get();
  process_->program.clock = &clock_;
  process_->program.between = [this] { between(); };
  process_->program.waiting = [this] { between(); };
  engine::Engine::Setup setup;
  setup.path = path_;
  setup.options.environment = {&clock_, &c_.world, process_};
  setup.options.watch = false;
  setup.options.tail_bytes_max = tail_bytes;
  setup.publish_peers = false;
  const Status status = [&]() -> Status {
    const Running as(&process_->program);
    auto opened = engine::Engine::open(std::move(setup));
    if (!opened.ok()) return opened.status();
    engine_ = *opened;
    if (auto tracked = engine_->track_all(); !tracked.ok()) return tracked.status();
    if (Status added = engine_->add_transport(c_.network.transport(name_)); !added.ok())
      return added;
    if (auto bound = engine_->listen(endpoint()); !bound.ok()) return bound.status();
    for (const auto& peer : peers) {
      if (Status dialed = engine_->connect(peer); !dialed.ok()) return dialed;
    }
    return {};
  }();
  c_.note(name_, "start: " + std::string(errc_name(status.code())));
  if (status.ok()) return c_.ledger.observed(client_->moment());
  const bool dead = process_->program.dead;
  if (!dead && status.code() != Errc::busy) c_.fail(name_ + " cannot start: " + status.to_string());
  if (!up()) {
    process_ = nullptr;
  } else if (dead) {
    reap();
  } else {
    stop();
  }
}

void Node::stop() {
  if (!up()) return;
  c_.note(name_, "stop");
  {
    const Running as(&process_->program);
    engine_->close();
    if (!process_->program.dead) engine_ = nullptr;
  }
  if (up()) return reap();
  process_ = nullptr;
}

void Node::kill() {
  if (!up()) return;
  process_->program.dead = true;
  reap();
}

void Node::kill_soon(std::uint64_t operations) {
  if (up()) process_->program.dies_at = process_->program.writes + operations;
}

void Node::reap() {
  if (!up() || !process_->program.dead) return;
  c_.note(name_, fmt::format("killed after {} writes", process_->program.writes));
  c_.network.kill(name_);
  {
    const Running as(&process_->program);
    engine_ = nullptr;
  }
  process_ = nullptr;
}

/// Nothing runs meanwhile, so the copy is one of the file as it is. None if accounts have changed
/// and no set holds that yet: original and copy would both say so, and each go on from there.
std::optional<Node::Copy> Node::copy_to(const std::string& path) {
  int code = 0;
  const auto pending = client_->reader().rows(
      "SELECT 1 FROM mycelial_journal j JOIN mycelial_table t ON t.id = j.what >> 3 WHERE t.name = "
      "'account' LIMIT 1",
      &code);
  if (code != 0 || !pending.empty()) return std::nullopt;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code absent;
    std::filesystem::copy_file(path_ + suffix, path + suffix,
                               std::filesystem::copy_options::overwrite_existing, absent);
  }
  return Copy{path, client_->moment(), c_.ledger.transactions().size()};
}

void Node::restore(const Copy& copy) {
  client_->close();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code absent;
    std::filesystem::remove(path_ + suffix, absent);
    std::filesystem::copy_file(copy.path + suffix, path_ + suffix, absent);
  }
  ++client_->epoch;
  client_->open();
  c_.ledger.rolled_back(name_, copy.transactions);
  c_.ledger.copied(copy.then, copy.transactions, {name_, client_->epoch});
}

/// An application may do anything between two statements of the engine; and power may fail.
void Node::between() {
  if (inside_ || process_ == nullptr || process_->program.dead) return;
  if (!c_.random.chance(interference)) return;
  inside_ = true;
  const Running nobody(nullptr);
  switch (c_.random.below(20)) {
    case 0:
      if (c_.random.chance(0.03)) process_->program.dead = true;
      break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      client_->read_sums();
      break;
    default:
      client_->act();
  }
  inside_ = false;
}

}  // namespace mycelial::sim
