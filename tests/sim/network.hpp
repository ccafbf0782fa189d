// SPDX-License-Identifier: Apache-2.0
// Network: links between the transports of one World, sim://NAME being a node. Between two nodes
// lies a medium (what their links claim to be), and each direction has a path (what happens to
// messages). Streams keep order and lose nothing until they break; datagrams do neither. What is
// sent to sim://*NAME goes to everybody who has dialed that: a group, such as a radio channel.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mycelial/transport.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/world.hpp"

namespace mycelial::sim {

/// One direction between two nodes.
struct Path {
  bool blocked = false;
  double loss = 0, duplicate = 0;  ///< Of datagrams.
  std::uint64_t delay_ms = 1, jitter_ms = 0;
  std::uint64_t bytes_per_second = 0;  ///< 0: no limit.
};

struct Medium {
  LinkCaps caps{4096, 0, 1, false};
  bool reliable = true;
};

class Network {
 public:
  explicit Network(World& world, std::uint64_t seed = 1) : world_(world), random_(seed) {}
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// A transport of the node; a node that restarts takes a new one.
  std::unique_ptr<Transport> transport(const std::string& node = {});
  /// The node's program is gone without a word: it sends nothing more, its links go.
  void kill(const std::string& node);

  Path& path(const std::string& from, const std::string& to) { return paths_[{from, to}]; }
  /// Symmetric; holds for links dialed from now on.
  void set_medium(const std::string& a, const std::string& b, const Medium& medium);
  void cut(bool down);  ///< Breaks every link; dialing fails until it is lifted.
  void sever(const std::string& a, const std::string& b);  ///< Breaks links between two nodes.

  /// Delivers to a node as if somebody new had dialed it; the link breaks when it has been heard.
  void inject(const std::string& node, std::vector<std::string> messages);

  /// Changes or (false) swallows messages on their way.
  std::function<bool(std::string&)> meddle;
  /// What a link does with the next message; none: it takes it. May throw, as links of others may.
  std::function<std::optional<SendOutcome>()> refuse;
  /// Whether a message may arrive; null: all may. Not asked in groups.
  std::function<bool(const std::string& from, const std::string& bytes)> lets_in;
  /// Told of what arrives.
  std::function<void(const std::string& from, const std::string& to, const std::string& bytes)>
      on_delivery;
  std::size_t messages = 0, consumed = 0, delivered = 0;
  std::string fault;  ///< What an engine did that no link allows.

 private:
  struct End;
  struct Dial;
  class SimLink;
  class SimTransport;
  using EndPtr = std::shared_ptr<End>;

  Medium medium(const std::string& a, const std::string& b) const;
  EndPtr make_end(const std::string& local, const std::string& remote, const Medium& medium);
  EndPtr datagram_end(const std::string& local, const std::string& remote) const;
  EndPtr accept(const EndPtr& caller);
  SendOutcome send(const EndPtr& from, std::string_view message);
  SendOutcome refused(const EndPtr& from, SendOutcome how);
  void send_to_group(const EndPtr& from, const std::string& bytes);
  void send_datagram(const EndPtr& from, const std::string& bytes);
  void flow(const EndPtr& from);
  void arrive(const EndPtr& from, const std::string& bytes);
  void close(const EndPtr& end);
  void end(const EndPtr& one, const std::string& why);
  void end_local(const EndPtr& one, const std::string& why);
  void attempt(const std::shared_ptr<Dial>& dial);
  void again(const std::shared_ptr<Dial>& dial);

  World& world_;
  Random random_;
  bool down_ = false;
  std::map<std::pair<std::string, std::string>, Path> paths_;
  std::map<std::pair<std::string, std::string>, Medium> media_;
  std::map<std::string, LinkAcceptor*> listeners_;  // by endpoint
  std::vector<EndPtr> ends_;
  std::vector<std::pair<std::string, std::weak_ptr<bool>>> running_;  // transports, by node
};

}  // namespace mycelial::sim
