// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/simulation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

#include "codec/codec.hpp"
#include "tests/sim/checks/checks.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/marks.hpp"
#include "tests/sim/vfs.hpp"

namespace mycelial::sim {
namespace {

constexpr char kGroup[] = "*air";
constexpr std::uint64_t kYearMs = 365ull * 24 * 3600 * 1000;

std::string fresh_folder(const std::string& parent) {
  std::string pattern = parent + "/mycelial-sim-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("cannot make a folder in " + parent);
  }
  return pattern;
}

void mark_message(const core::Message& message) {
  static constexpr Mark kUnits[] = {Mark::sent_set, Mark::sent_set, Mark::sent_cut,
                                    Mark::sent_list};
  const auto& body = message.body;
  if (const auto* piece = std::get_if<core::FragMessage>(&body))
    mark(kUnits[static_cast<std::size_t>(piece->unit.kind) - 1]);
  if (std::holds_alternative<core::StopMessage>(body)) mark(Mark::said_stop);
  if (std::holds_alternative<core::ByeMessage>(body)) mark(Mark::said_bye);
  if (std::holds_alternative<core::CompareMessage>(body)) mark(Mark::said_compare);
}

/// What a message is, in a word.
std::string describe(const std::string& bytes) {
  static const char* const kNames[] = {"digest", "have",  "want", "frag",
                                       "stop",   "probe", "bye",  "compare"};
  const auto message = codec::decode_message(bytes);
  if (message.ok()) mark_message(*message);
  return fmt::format("{} {}", message.ok() ? kNames[message->body.index()] : "nonsense",
                     bytes.size());
}

}  // namespace

Report simulate(const Options& options) {
  install_vfs();
  seed_vfs(options.seed);
  options.random_tables ? use_random_tables(options.seed) : use_fixed_tables();
  Simulation simulation(options);
  return simulation.run();
}

Simulation::Simulation(const Options& options)
    : options_(options),
      random_(options.seed),
      world_(options.seed),
      network_(world_, options.seed),
      trace_(options.verbose),
      context_{world_, network_, random_, ledger_, trace_, fresh_folder(options.disk)} {
  network_.on_delivery = [this](const auto& from, const auto& to, const std::string& bytes) {
    traffic_.push_back(bytes);
    context_.note(
        from, fmt::format("> {} {} {:016x}", to, describe(bytes), std::hash<std::string>{}(bytes)));
  };
  world_.after_task = [this] {
    for (const auto& node : nodes_) node->reap();
  };
  context_.interference = 0.02;
  context_.plant = options.plant;
  context_.foreign_keys = !options.random_tables || random_.chance(0.8);
  if (random_.chance(0.3)) {
    group_ = options.profile.medium(random_);
    group_->reliable = false;
    group_->caps.group = true;
  }
  for (int i = 0; i < options_.nodes; ++i) add_node();
}

Simulation::~Simulation() {
  world_.after_task = nullptr;
  network_.cut(true);  // also the links of nodes that have stopped: they still call their handlers
  nodes_.clear();
  std::error_code ignored;
  if (options_.keep) disk().save(context_.folder);
  disk().clear(context_.folder);
  if (options_.keep) return;
  std::filesystem::remove_all(context_.folder, ignored);
}

/// A node with an empty file of the schema, or with a copy of somebody's, and links to some of
/// those that are there.
void Simulation::add_node(const std::optional<Node::Copy>& copy) {
  const int number = static_cast<int>(nodes_.size());
  const std::string name = "n" + std::to_string(number);
  if (!copy) {
    Connection file(file_of(name), nullptr);
    // With less, a journal that was deleted comes back with the power, and the tables go.
    std::string all = "PRAGMA synchronous = EXTRA; BEGIN;";
    for (const Table& t : tables()) all += t.ddl + ";";
    if (file.run(all + "COMMIT") != 0) throw std::runtime_error(file.error());
  }
  nodes_.push_back(std::make_unique<Node>(context_, name, number));
  Node& node = *nodes_.back();
  if (copy) ledger_.copied(copy->then, copy->transactions, {name, 0});
  if (number > 0) link(node, *nodes_[random_.below(static_cast<std::uint64_t>(number))]);
  for (int i = 0; i < number; ++i) {
    if (random_.chance(options_.profile.density)) link(node, *nodes_[static_cast<std::size_t>(i)]);
  }
  join_group(node);
  if (random_.chance(0.5)) node.tail_bytes = random_.between(1, 20'000);
  // Some forget what others may lack, soon or at once.
  if (random_.chance(0.5)) {
    node.retention_s = random_.chance(0.5) ? 1 : 60;
    node.collect_every_ms = random_.below(5000);
    node.collect_worth = random_.below(20);
  }
  if (random_.chance(0.2)) node.interference = context_.interference;
  node.start();
  node.interference = context_.interference;
}

/// A new node: its file is new, or a copy of another's.
void Simulation::join(Node& from) {
  if (static_cast<int>(nodes_.size()) >= options_.nodes + 2) return;
  const std::string name = "n" + std::to_string(nodes_.size());
  if (random_.chance(0.5)) {
    context_.note(name, "joins");
    mark(Mark::joined_empty);
    return add_node();
  }
  const bool settled = !from.up() && !from.client().is_rebuilding();
  const auto copy = settled ? from.copy_to(file_of(name)) : std::nullopt;
  if (!copy) return;
  context_.note(name, "is a copy of " + from.name());
  mark(Mark::joined_as_copy);
  add_node(copy);
}

/// A backup is made, and some time later put in place of the file.
void Simulation::turn_back(Node& node) {
  const std::string backup = file_of("backup-of-" + node.name());
  const auto found = backups_.find(node.name());
  if (found == backups_.end()) {
    if (node.client().is_rebuilding()) return;
    if (const auto copy = node.copy_to(backup)) backups_[node.name()] = *copy;
    return;
  }
  if (node.up()) return;
  context_.note(node.name(), "goes back to its backup");
  node.restore(found->second);
  node.client().owner = owners_++;
  backups_.erase(found);
  turned_back_ = true;
}

void Simulation::link(Node& a, Node& b) {
  const std::pair<std::string, std::string> both{a.name(), b.name()};
  if (std::find(links_.begin(), links_.end(), both) != links_.end()) return;
  links_.push_back(both);
  const Medium medium = options_.profile.medium(random_);
  network_.set_medium(a.name(), b.name(), medium);
  network_.path(a.name(), b.name()) = options_.profile.path(medium, random_);
  network_.path(b.name(), a.name()) = options_.profile.path(medium, random_);
  a.peers.push_back(b.endpoint());
}

/// Some runs have a channel that nodes hear each other on, beside their links.
void Simulation::join_group(Node& node) {
  if (!group_ || random_.chance(0.25)) return;
  context_.note(node.name(), "joins the group");
  links_.emplace_back(node.name(), kGroup);
  network_.set_medium(node.name(), kGroup, *group_);
  network_.path(node.name(), kGroup) = options_.profile.path(*group_, random_);
  network_.path(kGroup, node.name()) = options_.profile.path(*group_, random_);
  node.peers.push_back(std::string("sim://") + kGroup);
}

Report Simulation::run() {
  try {
    for (int i = 0; i < options_.steps && !broken(); ++i) {
      context_.step = static_cast<std::uint64_t>(i);
      step();
    }
    if (!broken()) heal();
    if (!broken()) converge();
    if (!broken()) be_quiet();
    if (!broken()) check_nodes();
    if (!broken()) replay();
  } catch (const std::exception& e) {
    context_.fail(e.what());
  }
  return {context_.failure, context_.step, trace_.hash()};
}

void Simulation::advance(std::uint64_t ms) {
  world_.run(ms);
  if (!network_.fault.empty()) context_.fail(network_.fault);
  // A store may take a new site id long after it was opened.
  for (const auto& node : nodes_) {
    if (node->up()) ledger_.observed(node->client().moment());
  }
}

void Simulation::step() {
  advance(random_.below(random_.chance(0.5) ? 50 : options_.profile.gap_max));
  for (const auto& n : nodes_) n->look_at_rebuilt();
  Node& node = any();
  enum {
    write,
    burst,
    fault,
    block,
    open,
    clock,
    read,
    seal,
    chores,
    compare,
    newcomer,
    backup,
    drive,
    rebuild,
    forget,
    echo
  };
  const auto& p = options_.profile;
  const bool backups = options_.plant && options_.plant->when == Plant::When::opening;
  switch (random_.weighted({60, 4, 8, p.blocks, p.opens, 1, 6, 2, 2, 2, 1, backups ? 30u : 2u, 2,
                            options_.random_tables ? 4u : 0u, 1, 1})) {
    case write:
      return node.client().act();
    case burst:
      for (auto i = random_.between(5, 30); i > 0; --i) node.client().act();
      return;
    case fault:
      return process_fault(node);
    case block:
      return weather(true);
    case open:
      return weather(false);
    case clock:
      return clocks();
    case read:
      node.client().read_sums();
      return check_inventions(context_, node);
    case seal:
      return node.on_engine([](engine::Engine& e) { (void)e.seal(); });
    case chores:
      return node.client().housekeeping();
    case newcomer:
      return join(node);
    case backup:
      return turn_back(node);
    case drive:
      return drive_fault(node);
    case forget:
      return forget_somebody(node);
    case echo:
      return echo_to(node);
    case rebuild:
      mark(Mark::table_made_anew);
      node.client().rebuild();
      return node.look_at_rebuilt();
    default:
      return check_convergence(context_, nodes_);
  }
}

/// Nobody waits for it any more, until it is heard of again.
void Simulation::forget_somebody(Node& node) {
  node.on_engine([&](engine::Engine& e) {
    const auto members = e.members();
    if (!members.ok() || members->empty()) return;
    const auto& member = random_.pick(*members);
    if (!member.is_self && e.forget(member.site).ok()) mark(Mark::member_forgotten);
  });
}

/// Messages come once more, as from a broker that kept them.
void Simulation::echo_to(Node& node) {
  if (!node.up() || traffic_.empty()) return;
  std::vector<std::string> old;
  for (auto n = random_.between(1, 30); n > 0; --n) old.push_back(random_.pick(traffic_));
  mark(Mark::old_messages_heard);
  network_.inject(node.name(), std::move(old));
}

void Simulation::process_fault(Node& node) {
  if (!node.up()) return random_.chance(0.2) ? node.lose_power() : node.start();
  switch (random_.below(8)) {
    case 0:
      return node.kill();
    case 1:
    case 2:
      return node.kill_soon(random_.below(60));
    case 3:
      return node.lose_power();
    case 4:
    case 5:
      return node.kill_soon(random_.below(60), true);
    case 6:
      node.client().close();
      node.client().open();
      if (random_.chance(0.5)) node.kill();
      return;
    default:
      return node.stop();
  }
}

/// The drive is full or broken for a while; some troubles strike once only.
void Simulation::drive_fault(Node& node) {
  using Trouble = Drive::Trouble;
  static const std::vector<Trouble> kAll = {Trouble::full, Trouble::full, Trouble::read,
                                            Trouble::write, Trouble::sync};
  node.trouble(random_.pick(kAll), random_.below(random_.chance(0.5) ? 4 : 60),
               random_.chance(0.4));
  const std::uint64_t lasts = random_.between(10, random_.chance(0.5) ? 1000 : 60'000);
  world_.post_at(world_.monotonic_ms() + lasts, [&node] { node.mend(); });
}

void Simulation::weather(bool block) {
  if (links_.empty()) return;
  auto [a, b] = random_.pick(links_);
  if (random_.chance(0.5)) std::swap(a, b);
  const bool both = random_.chance(0.6);
  context_.note(a, fmt::format("{} {} {}", block ? "loses" : "finds", b, both ? "both ways" : ""));
  network_.path(a, b).blocked = block;
  if (both) network_.path(b, a).blocked = block;
  if (block && random_.chance(0.4)) {
    mark(Mark::link_severed);
    network_.sever(a, b);
  }
}

void Simulation::clocks() {
  mark(Mark::clock_jumped);
  NodeClock& clock = any().clock();
  const auto sign = random_.chance(0.5) ? 1 : -1;
  const std::uint64_t hour = 3600 * 1000;
  const std::uint64_t jump = random_.chance(0.2) ? 10 * kYearMs : random_.below(5 * hour);
  clock.offset_ms += sign * static_cast<std::int64_t>(jump);
  clock.rate = 1 + (static_cast<double>(random_.below(2001)) - 1000) / 1e5;
}

/// Everything works again.
void Simulation::heal() {
  context_.note("sim", "heal");
  for (const auto& node : nodes_) {
    node->interference = 0;
    node->mend();
  }
  for (auto [a, b] : links_) {
    for (int i = 0; i < 2; ++i, std::swap(a, b)) {
      network_.path(a, b).blocked = false;
      network_.path(a, b).loss = 0;
    }
  }
  for (const auto& node : nodes_) {
    node->client().finish();
    node->kill_soon(Program::kNever / 2);
    for (int tries = 0; !node->up() && tries < 10; ++tries) {
      node->start();
      advance(1000);
    }
    if (!node->up()) context_.fail(node->name() + " does not start");
    for (int tries = 0; !node->client().complete() && tries < 10; ++tries) advance(1000);
  }
}

bool Simulation::converged() {
  const Progress first = progress_of(*nodes_[0]);
  if (first.pending) return false;
  for (const auto& node : nodes_) {
    const Progress state = progress_of(*node);
    if (state.pending || state.have != first.have || state.listed != first.listed) return false;
  }
  return true;
}

void Simulation::converge() {
  constexpr int kSecondsMax = 900;
  for (int second = 0; second < kSecondsMax && !broken(); ++second) {
    advance(1000);
    if (second % 5 == 0 && converged()) return;
  }
  std::string all;
  for (const auto& node : nodes_) {
    const auto first = progress_of(*nodes_[0]).listed, other = progress_of(*node).listed;
    if (first != other) all += " lists differ: " + first_difference(first, other);
    node->on_engine([&](engine::Engine& e) {
      const auto status = e.status();
      if (status.ok())
        all += fmt::format(" {}: {} sets, {} entries, {}", node->name(), status->sets_held,
                           status->journal_entries, status->last_error);
    });
  }
  context_.fail("no convergence within 15 minutes of a healthy network:" + all);
}

void Simulation::check_nodes() {
  check_convergence(context_, nodes_);
  for (const auto& node : nodes_) {
    check_inventions(context_, *node);
    node->client().read_sums();
  }
  check_health(context_, nodes_);
  check_writes(context_, nodes_);
  check_lives(context_, *nodes_[0]);
  check_meaning(context_, nodes_);
  // A file that went back may have forgotten that it saw the parent of what it had told of.
  check_search(context_, nodes_);
  if (!turned_back_ && context_.foreign_keys) check_orphans(context_, nodes_);
}

/// Nodes that agree fall silent but for a digest now and then.
void Simulation::be_quiet() {
  advance(120'000);
  const auto before = network_.messages;
  context_.note("sim", "silence");
  advance(300'000);
  const auto said = network_.messages - before;
  const auto most = 2 * links_.size() * (300 / 25 + 2);
  if (said > most) {
    context_.fail(fmt::format("{} messages in 300 s between nodes that agree", said));
  }
}

/// Hearing everything once more changes nothing. (If a file went back to a backup, it may even
/// bring back what it had told in part.)
void Simulation::replay() {
  if (turned_back_) return;
  const State before = state_of(*nodes_[0]);
  const Node& node = *nodes_[0];
  network_.inject(node.name(), traffic_);
  advance(60'000);
  const State after = state_of(*nodes_[0]);
  if (before.have != after.have) {
    context_.fail(fmt::format("old messages, heard again, made {} hold: {}", node.name(),
                              fmt::join(after.have, " ")));
  } else if (before.images != after.images) {
    context_.fail("old messages, heard again, changed the rows of " + node.name());
  }
}

}  // namespace mycelial::sim
