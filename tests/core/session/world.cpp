// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <algorithm>

namespace mycelial::core::testing {
namespace {

bool is_gossip(const Message& m) {
  const auto* have = std::get_if<HaveMessage>(&m.body);
  return have && !have->members.empty();
}

const char* kind_of(const Message& m) {
  if (is_gossip(m)) return "gossip";
  static constexpr const char* names[] = {"digest", "have",  "want", "frag",
                                          "stop",   "probe", "bye",  "compare"};
  return names[m.body.index()];
}

}  // namespace

// ---- nodes --------------------------------------------------------------------------------------

Node::Node(World& world, std::string name, MapDepot::Limits limits)
    : world_(world),
      name_(std::move(name)),
      depot_(
          world.oracle, [&world] { return world.random(); }, limits) {}

void Node::start() {
  if (up()) return;
  ++epoch_;
  session_ = world_.random();
  armed_ = ~TimeMs{0};
  exchange_ = std::make_unique<Exchange>(depot_, static_cast<Port&>(*this), session_);
  for (const auto& wire : world_.wires) wire->node_up(*this);
}

void Node::crash() {
  if (!up()) return;
  for (const auto& wire : world_.wires) wire->node_down(*this);
  exchange_.reset();
  wires_.clear();
  depot_.crash();
  ++epoch_;
}

UnitRef Node::write(std::size_t body_bytes) {
  const UnitRef unit = depot_.seal(body_bytes, world_.now());
  if (up()) exchange_->sealed({&unit, 1}, world_.now());
  wake();
  return unit;
}

LinkNumber Node::attach(Wire& wire) {
  const LinkNumber link = ++world_.next_link;
  wires_[link] = &wire;
  exchange_->link_up(link, wire.caps(), world_.now());
  wake();
  return link;
}

void Node::detach(LinkNumber link) {
  if (!wires_.erase(link) || !up()) return;
  exchange_->link_down(link, world_.now());
  wake();
}

void Node::hear(LinkNumber link, const Message& message) {
  if (!up() || !wires_.contains(link)) return;
  depot_.now = world_.now();
  exchange_->receive(link, message, world_.now());
  wake();
}

void Node::writable(LinkNumber link) {
  if (!up() || !wires_.contains(link)) return;
  exchange_->writable(link, world_.now());
  wake();
}

SendOutcome Node::send(LinkNumber link, const Message& message) {
  const auto it = wires_.find(link);
  return it == wires_.end() ? SendOutcome::closed : it->second->send(*this, link, message);
}

void Node::close(LinkNumber link, const std::string& reason) {
  const auto it = wires_.find(link);
  if (it == wires_.end()) return;
  ++closed;
  reasons.push_back(reason);
  // Not from inside the session: an engine's link closes later, too.
  world_.at(0, [this, wire = it->second, epoch = epoch_] {
    if (epoch == epoch_) wire->give_up(*this);
  });
}

std::uint64_t Node::random() {
  return world_.random();
}

void Node::wake() {
  if (!up()) return;
  const TimeMs next = exchange_->next_tick();
  if (next == ~TimeMs{0} || armed_ <= next) return;
  armed_ = next;
  const TimeMs wait = next > world_.now() ? next - world_.now() : 1;
  world_.at(wait, [this, epoch = epoch_, next] {
    if (epoch != epoch_ || !up()) return;
    if (armed_ == next) armed_ = ~TimeMs{0};
    depot_.now = world_.now();
    exchange_->tick(world_.now());
    wake();
  });
}

// ---- wires --------------------------------------------------------------------------------------

Wire::Wire(World& world, std::vector<Node*> members, WireModel model)
    : world_(world), members_(std::move(members)), model_(model) {}

LinkCaps Wire::caps() const {
  LinkCaps out;
  out.message_bytes_max = model_.mtu;
  out.bytes_per_second = model_.rate;
  out.delay_ms = static_cast<std::uint32_t>(model_.delay + model_.jitter);
  out.group = model_.group;
  return out;
}

/// A wire that tells is a connection: both ends are up together. Else each end is on its own.
void Wire::connect() {
  if (!up_) return;
  if (model_.tells && !model_.group &&
      std::any_of(members_.begin(), members_.end(), [](Node* n) { return !n->up(); })) {
    return;
  }
  connected_ = true;
  for (auto* node : members_) {
    if (node->up() && !links_.contains(node)) {
      links_[node] = 0;
      links_[node] = node->attach(*this);
    }
  }
}

void Wire::disconnect() {
  connected_ = false;
  const auto links = std::exchange(links_, {});
  for (const auto& [node, link] : links) node->detach(link);
}

void Wire::join(Node& node) {
  members_.push_back(&node);
  connect();
}

void Wire::node_up(Node& node) {
  if (std::find(members_.begin(), members_.end(), &node) != members_.end()) connect();
}

void Wire::node_down(Node& node) {
  if (!links_.erase(&node)) return;
  if (model_.tells && !model_.group) disconnect();
}

void Wire::inject(Node& to, const Message& message) {
  connect();
  const auto there = links_.find(&to);
  if (there != links_.end()) deliver(to, there->second, codec::encode_message(message));
}

void Wire::give_up(Node& from) {
  if (!links_.contains(&from)) return;
  ++given_up;
  if (model_.group || !model_.tells) {
    const LinkNumber link = links_.at(&from);
    links_.erase(&from);
    from.detach(link);
  } else {
    disconnect();
  }
  world_.at(1000, [this] { connect(); });
}

void Wire::set_up(bool up) {
  up_ = up;
  if (!up && model_.tells) disconnect();
  if (up) connect();
}

void Wire::block_some() {
  if (members_.size() < 2) return;
  Node* from = members_[world_.below(members_.size())];
  Node* to = members_[world_.below(members_.size())];
  if (from == to) return;
  block(*from, *to);
  world_.at(world_.below(60'000), [this, from, to] { blocked_.erase({from, to}); });
}

std::uint64_t& Wire::free_at_us(Node& from) {
  return free_us_[model_.group ? nullptr : &from];
}

/// One message at a time below the session.
SendOutcome Wire::send(Node& from, LinkNumber link, const Message& message) {
  if (!links_.contains(&from)) return SendOutcome::closed;
  std::uint64_t& free_us = free_at_us(from);
  const TimeMs now = world_.now();
  if (free_us / 1000 > now) {
    TimeMs wait = free_us / 1000 - now;
    if (model_.group) wait += world_.below(20);
    world_.at(wait, [&from, link] { from.writable(link); });
    return SendOutcome::would_block;
  }
  const Bytes wire = codec::encode_message(message);
  if (wire.size() > model_.mtu) {
    world_.oracle.violations.push_back("a message of " + std::to_string(wire.size()) +
                                       " bytes for an MTU of " + std::to_string(model_.mtu) + ": " +
                                       kind_of(message));
    return SendOutcome::accepted;
  }
  free_us = std::max(free_us, now * 1000) + wire.size() * 1'000'000 / model_.rate;
  bytes += wire.size();
  if (is_gossip(message)) gossip_bytes += wire.size();
  ++messages;
  ++kinds[kind_of(message)];
  world_.trace = world_.trace * 1099511628211u + std::hash<std::string>()(wire) + now;
  if (const auto* f = std::get_if<FragMessage>(&message.body)) body_bytes += f->bytes.size();
  for (auto* to : members_) {
    if (to == &from || !up_ || blocked_.contains({&from, to})) continue;
    const int copies = world_.chance(model_.dup) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      if (world_.chance(model_.loss)) continue;
      const TimeMs jitter = model_.jitter ? world_.below(model_.jitter + 1) : 0;
      const auto there = links_.find(to);
      if (there == links_.end()) continue;
      world_.at(free_us / 1000 - now + model_.delay + jitter,
                [this, to, number = there->second, wire] { deliver(*to, number, wire); });
    }
  }
  return SendOutcome::accepted;
}

void Wire::deliver(Node& to, LinkNumber link, const Bytes& wire) {
  if (!up_) return;
  const auto message = codec::decode_message(wire);
  if (!message.ok()) {
    world_.oracle.violations.push_back("a message that cannot be read");
    return;
  }
  const auto there = links_.find(&to);
  // What was sent on an earlier connection does not arrive on a later one.
  if (there == links_.end() || (model_.tells && there->second != link)) return;
  to.hear(there->second, *message);
}

// ---- world --------------------------------------------------------------------------------------

Node& World::add(const std::string& name, MapDepot::Limits limits) {
  nodes.push_back(std::make_unique<Node>(*this, name, limits));
  nodes.back()->start();
  return *nodes.back();
}

Wire& World::wire(std::vector<Node*> members, WireModel model) {
  wires.push_back(std::make_unique<Wire>(*this, std::move(members), model));
  Wire& out = *wires.back();
  out.set_up(true);
  return out;
}

void World::at(TimeMs delay, std::function<void()> what) {
  events_.emplace(std::pair(now_ + delay, ++order_), std::move(what));
}

bool World::run(TimeMs for_ms, const std::function<bool()>& stop) {
  const TimeMs end = now_ + for_ms;
  while (!events_.empty() && events_.begin()->first.first <= end) {
    auto first = events_.extract(events_.begin());
    now_ = std::max(now_, first.key().first);
    first.mapped()();
    if (stop && stop()) return true;
  }
  now_ = end;
  return false;
}

bool World::converged() {
  return std::all_of(nodes.begin(), nodes.end(), [&](const auto& n) {
    return n->up() && n->depot().sets() == oracle.sets.size() &&
           n->depot().have() == nodes[0]->depot().have() &&
           n->depot().listed == nodes[0]->depot().listed;
  });
}

std::uint64_t World::bytes() const {
  std::uint64_t out = 0;
  for (const auto& w : wires) out += w->bytes;
  return out;
}

std::uint64_t World::body_bytes() const {
  std::uint64_t out = 0;
  for (const auto& w : wires) out += w->body_bytes;
  return out;
}

std::string World::traffic() const {
  std::map<std::string, std::uint64_t> sum;
  for (const auto& w : wires) {
    for (const auto& [kind, count] : w->kinds) sum[kind] += count;
  }
  std::string out;
  for (const auto& [kind, count] : sum) out += kind + " " + std::to_string(count) + ", ";
  return out + std::to_string(bytes()) + " bytes";
}

void World::forget_traffic() {
  for (const auto& w : wires) w->forget();
}

std::uint64_t World::lag(const Hash& set) {
  std::uint64_t last = 0;
  for (const auto& n : nodes) {
    const auto it = n->depot().applied_at.find(set);
    if (it == n->depot().applied_at.end()) return ~std::uint64_t{0};
    last = std::max(last, it->second);
  }
  return last - oracle.sets.at(set).at;
}

}  // namespace mycelial::core::testing
