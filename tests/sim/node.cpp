// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "tests/sim/disk.hpp"
#include "tests/sim/marks.hpp"

namespace mycelial::sim {
namespace {

std::string contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

void Node::Process::post_at(std::uint64_t at, Task task) {
  world.post_at(at, [this, task = std::move(task)] {
    if (program.dead) return;
    {
      const Running as(&program);
      task();
    }
    if (worked) worked();
  });
}

Node::Node(Context& context, std::string name, int number)
    : c_(context),
      name_(std::move(name)),
      number_(number),
      path_(c_.folder + "/" + name_ + ".db"),
      clock_(c_.world) {
  client_ = std::make_unique<Client>(c_, name_, number_, path_, clock_, drive_);
  drive_.on_sync = [this](const std::string& file) {
    if (file == path_ + "-wal") c_.ledger.synced({name_, client_->epoch});
  };
  client_->on_commit = [this] { wake(); };
}

Node::~Node() {
  if (up()) kill();
}

/// What the watcher of the file does, and sometimes fails to do.
void Node::wake() {
  if (harms(Plant::When::committed)) do_harm(*c_.plant, path_);
  if (!up()) return;
  c_.ledger.observed(client_->moment());
  if (c_.random.chance(0.3)) return;
  c_.world.post_at(c_.world.monotonic_ms() + c_.random.below(20), [this, process = process_] {
    if (process == process_) on_engine([](engine::Engine& e) { e.poke(); });
  });
}

void Node::start() {
  if (up()) return;
  if (harms(Plant::When::opening)) do_harm(*c_.plant, path_);
  std::function<void()> worked;
  if (harms(Plant::When::worked)) {
    worked = [this] {
      if (c_.random.chance(0.02)) do_harm(*c_.plant, path_);
    };
  }
  processes_.push_back(std::make_unique<Process>(c_.world, std::move(worked)));
  process_ = processes_.back().get();
  process_->program.clock = &clock_;
  process_->program.drive = &drive_;
  process_->program.syncs_may_fail = true;
  process_->program.syncs_lie = harms(Plant::When::always);
  process_->program.between = [this] { between(); };
  process_->program.waiting = [this] { between(); };
  const std::uint64_t strikes = drive_.strikes;
  const Status status = open_engine();
  c_.note(name_, "start: " + std::string(errc_name(status.code())));
  if (status.ok()) return c_.ledger.observed(client_->moment());
  const bool dead = process_->program.dead;
  mark(Mark::engine_refused_to_start);
  if (!dead && status.code() != Errc::busy && drive_.strikes == strikes) {
    c_.fail(name_ + " cannot start: " + status.to_string());
  }
  if (!up()) {
    gone();
  } else if (dead) {
    reap();
  } else {
    stop();
  }
}

Status Node::open_engine() {
  engine::Engine::Setup setup;
  setup.path = path_;
  setup.options.environment = {&clock_, &c_.world, process_};
  setup.options.watch = false;
  setup.options.tail_bytes_max = tail_bytes;
  setup.options.retention_s = retention_s;
  setup.collect_every_ms = collect_every_ms;
  setup.collect_worth = collect_worth;
  setup.publish_peers = false;
  const Running as(&process_->program);
  auto opened = engine::Engine::open(std::move(setup));
  if (!opened.ok()) return opened.status();
  engine_ = *opened;
  if (auto tracked = engine_->track_all(); !tracked.ok()) return tracked.status();
  if (Status chosen = choose_policies(); !chosen.ok()) return chosen;
  if (Status added = engine_->add_transport(c_.network.transport(name_)); !added.ok()) return added;
  if (auto bound = engine_->listen(endpoint()); !bound.ok()) return bound.status();
  for (const auto& peer : peers) {
    if (Status dialed = engine_->connect(peer); !dialed.ok()) return dialed;
  }
  return {};
}

/// The first node does so for all of them. What is to become of orphans has to be known before one
/// hears of a deletion.
Status Node::choose_policies() {
  for (const Table& t : tables()) {
    if (number_ != 0 && !t.has_relatives) continue;
    for (const auto& [column, policy] : t.policies) {
      if (Status chosen = engine_->set_policy(t.name, column, policy); !chosen.ok()) return chosen;
    }
  }
  return {};
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
  gone();
}

/// The process has ended; perhaps it was the machine.
void Node::gone() {
  process_ = nullptr;
  if (std::exchange(power_fails_, false)) lose_power();
}

void Node::kill() {
  if (!up()) return;
  process_->program.dead = true;
  reap();
}

void Node::kill_soon(std::uint64_t operations, bool power) {
  if (!up()) return;
  process_->program.dies_at = process_->program.writes + operations;
  power_fails_ = power;
}

void Node::lose_power() {
  if (up()) {
    power_fails_ = true;
    return kill();
  }
  c_.note(name_, "loses power");
  mark(Mark::power_lost);
  client_->close();
  disk().lose_power(path_, c_.random);
  tear_side_files();
  client_->open();
  int code = 0;
  const auto sound = client_->reader().rows("PRAGMA integrity_check", &code);
  if (sound.empty() || sound[0][0] != "'ok'") {
    c_.fail(name_ + ": the file is damaged after a loss of power: " +
            (sound.empty() ? client_->reader().error() : sound[0][0]));
  }
  const Moment now = client_->moment();
  c_.note(name_, fmt::format("recovers its journal up to {}", now.journal));
  const std::uint64_t broken = c_.ledger.lost_power(now);
  if (broken != 0) {
    c_.fail(
        fmt::format("{} lost transaction {} with its power, which was on its disk", name_, broken));
  }
}

/// Nobody syncs the witness, nor the folder of units: they may be empty, in part or gone.
void Node::tear_side_files() {
  namespace fs = std::filesystem;
  const std::string witness = path_ + "-mycelial";
  if (fs::exists(witness) && c_.random.chance(0.5)) fs::resize_file(witness, 0);
  std::error_code absent;
  std::vector<fs::path> units;
  for (const auto& entry : fs::directory_iterator(path_ + "-mycelial-units", absent)) {
    units.push_back(entry.path());
  }
  std::sort(units.begin(), units.end());
  for (const auto& unit : units) {
    if (c_.random.chance(0.2)) {
      fs::remove(unit);
    } else if (unit.extension() == ".part" && c_.random.chance(0.5)) {
      std::string bytes = contents_of(unit);
      const std::size_t from = c_.random.below(bytes.size());
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(), '\0');
      std::ofstream(unit, std::ios::binary) << bytes;
    }
  }
}

void Node::trouble(Drive::Trouble what, std::uint64_t spared, bool once) {
  c_.note(name_, fmt::format("drive trouble {} {} {}", static_cast<int>(what), spared, once));
  drive_.trouble = what;
  drive_.spared = spared;
  drive_.once = once;
}

/// Whoever asks while it lasts is told.
void Node::mend() {
  if (drive_.trouble == Drive::Trouble::none) return;
  on_engine([&](engine::Engine& e) {
    const Status sealed = e.seal();
    const auto status = e.status();
    if (!sealed.ok() && status.ok() && status->last_error.empty()) {
      c_.fail(name_ + " hides that it cannot seal: " + sealed.to_string());
    }
  });
  c_.note(name_, fmt::format("the drive works again after {} failures", drive_.strikes));
  drive_.trouble = Drive::Trouble::none;
}

void Node::look_at_rebuilt() {
  if (!client_->is_rebuilding()) return;
  on_engine([&](engine::Engine& e) {
    if (e.seal().ok()) client_->look_taken();
  });
}

void Node::reap() {
  if (!up() || !process_->program.dead) return;
  mark(Mark::killed);
  c_.note(name_, fmt::format("killed after {} writes", process_->program.writes));
  c_.network.kill(name_);
  {
    const Running as(&process_->program);
    engine_ = nullptr;
  }
  gone();
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
  for (const char* suffix : {"", "-wal"}) {  // who makes a backup syncs
    if (const FilePtr file = disk().find(path_ + suffix)) file->sync();
    disk().copy(path_ + suffix, path + suffix);
  }
  disk().sync_names(path_);
  c_.ledger.synced({name_, client_->epoch});
  return Copy{path, client_->moment(), c_.ledger.transactions().size()};
}

void Node::restore(const Copy& copy) {
  mark(Mark::went_back_to_backup);
  c_.ledger.ended(client_->moment());
  client_->close();
  for (const char* suffix : {"", "-wal"}) disk().copy(copy.path + suffix, path_ + suffix);
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
