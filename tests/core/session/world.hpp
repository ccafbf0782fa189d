// SPDX-License-Identifier: Apache-2.0
// Sessions on links that lose, double, reorder, delay and break, in virtual time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/exchange.hpp"
#include "map_depot.hpp"

namespace mycelial::core::testing {

class World;
class Wire;

/// A replica: a depot that lasts and, while it is up, a session.
class Node final : private Port {
 public:
  Node(World& world, std::string name, MapDepot::Limits limits);
  void start();
  void crash();
  bool up() const { return exchange_ != nullptr; }
  UnitRef write(std::size_t body_bytes);
  MapDepot& depot() { return depot_; }
  Exchange& exchange() { return *exchange_; }
  const std::string& name() const { return name_; }
  std::uint64_t session() const { return session_; }
  LinkNumber attach(Wire& wire);
  void detach(LinkNumber link);
  void hear(LinkNumber link, const Message& message);
  void writable(LinkNumber link);
  std::size_t closed = 0;  ///< Links that this node gave up.
  std::vector<std::string> reasons;

 private:
  SendOutcome send(LinkNumber link, const Message& message) override;
  void close(LinkNumber link, const std::string& reason) override;
  std::uint64_t random() override;
  void wake();

  World& world_;
  std::string name_;
  MapDepot depot_;
  std::unique_ptr<Exchange> exchange_;
  std::map<LinkNumber, Wire*> wires_;
  std::uint64_t session_ = 0;
  TimeMs armed_ = ~TimeMs{0};
  std::uint64_t epoch_ = 0;
};

struct WireModel {
  std::uint64_t rate = 1'000'000;  ///< Bytes per second.
  TimeMs delay = 20, jitter = 0;
  double loss = 0, dup = 0;
  std::size_t mtu = 1500;
  bool group = false;
  bool tells = true;  ///< Ends learn of a break, as TCP's do; a radio's do not.
};

/// Two ends, or a group.
class Wire {
 public:
  Wire(World& world, std::vector<Node*> members, WireModel model);
  LinkCaps caps() const;
  SendOutcome send(Node& from, LinkNumber link, const Message& message);
  void join(Node& node);
  void node_up(Node& node);
  void node_down(Node& node);
  void give_up(Node& from);
  void inject(Node& to, const Message& message);  ///< From nobody, even if the wire was down.
  void set_up(bool up);
  void block(Node& from, Node& to) { blocked_.insert({&from, &to}); }
  void block_some();  ///< One direction between two members, for a while.
  void unblock() { blocked_.clear(); }
  bool up() const { return up_; }
  const WireModel& model() const { return model_; }
  const std::vector<Node*>& members() const { return members_; }

  std::size_t given_up = 0;  ///< How often an end closed it.
  std::uint64_t bytes = 0, gossip_bytes = 0, body_bytes = 0, messages = 0;
  std::map<std::string, std::uint64_t> kinds;
  void forget() { bytes = gossip_bytes = body_bytes = messages = 0, kinds.clear(); }

 private:
  void connect();
  void disconnect();
  void deliver(Node& to, LinkNumber link, const Bytes& bytes);
  std::uint64_t& free_at_us(Node& from);

  World& world_;
  std::vector<Node*> members_;
  WireModel model_;
  bool up_ = true, connected_ = false;
  std::map<Node*, LinkNumber> links_;
  std::map<Node*, std::uint64_t> free_us_;
  std::set<std::pair<Node*, Node*>> blocked_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : rng_(seed) {}
  Node& add(const std::string& name, MapDepot::Limits limits = {});
  Wire& wire(std::vector<Node*> members, WireModel model = {});
  void at(TimeMs delay, std::function<void()> what);
  /// Until that much time has passed, or `stop` says so. False: time is up.
  bool run(TimeMs for_ms, const std::function<bool()>& stop = {});
  TimeMs now() const { return now_; }
  std::uint64_t random() { return rng_(); }
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  bool chance(double p) { return static_cast<double>(rng_() % 1'000'000) < p * 1'000'000; }

  /// Everybody is up and holds everything that was ever sealed.
  bool converged();
  std::uint64_t bytes() const;
  std::uint64_t body_bytes() const;
  std::string traffic() const;
  void forget_traffic();
  std::uint64_t lag(const Hash& set);  ///< Until the last node had it, ms.

  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::unique_ptr<Wire>> wires;
  Oracle oracle;
  LinkNumber next_link = 0;
  std::uint64_t trace = 0;  ///< Hash of everything that was sent.

 private:
  std::mt19937_64 rng_;
  TimeMs now_ = 1000;
  std::uint64_t order_ = 0;
  std::map<std::pair<TimeMs, std::uint64_t>, std::function<void()>> events_;
};

}  // namespace mycelial::core::testing
