// SPDX-License-Identifier: Apache-2.0
// PeerBook: what status() says about peers: links that are up, endpoints that are dialed, and the
// last few that left because of a fault.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/exchange.hpp"
#include "engine/links.hpp"
#include "mycelial/replica.hpp"

namespace mycelial::engine {

class PeerBook {
 public:
  void dialing(const std::string& endpoint) { dialed_.try_emplace(endpoint); }
  bool is_dialed(const std::string& endpoint) const { return dialed_.contains(endpoint); }
  /// False if it only repeats, in the words of the transport, that a link has ended.
  bool dial_failed(const std::string& endpoint, const std::string& why);
  void left(const LinkState& link, const Status& reason);

  std::vector<PeerInfo> list(const Links& links, const std::vector<core::PeerStatus>& peers) const;

 private:
  struct Dialed {
    std::string error;
    bool just_left = false;
  };
  std::map<std::string, Dialed> dialed_;  // by endpoint
  std::deque<PeerInfo> gone_;             // accepted links that ended with a fault
};

/// What only the serving process knows, left beside the database where a second process finds it.
/// The file carries the process id: what a dead process left is ignored.
struct Serving {
  std::vector<PeerInfo> peers;
  std::string last_error;
  std::vector<std::string> notes;
  std::uint64_t collisions = 0;
  std::uint64_t own_sets_elsewhere = 0, own_sets_everywhere = 0;
};
std::string serving_path(const std::string& database);
std::string format_serving(const Serving& serving);
Status write_serving(const std::string& database, const std::string& text);
Serving read_serving(const std::string& database);
void remove_serving(const std::string& database) noexcept;

}  // namespace mycelial::engine
