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
  bool is_dialed(const std::string& endpoint) const { return dialed_.count(endpoint) != 0; }
  void dial_failed(const std::string& endpoint, const std::string& why);
  void left(const LinkState& link, const Status& reason);

  std::vector<PeerInfo> list(const Links& links, const std::vector<core::PeerStatus>& peers) const;

 private:
  std::map<std::string, std::string> dialed_;  // endpoint -> last error
  std::deque<PeerInfo> gone_;                  // accepted links that ended with a fault
};

/// The peers of a serving process, left beside the database where a second process finds them.
/// The file carries the process id: what a dead process left is ignored.
std::string peers_path(const std::string& database);
std::string format_peers(const std::vector<PeerInfo>& peers);
Status write_peers(const std::string& database, const std::string& text);
std::vector<PeerInfo> read_peers(const std::string& database);
void remove_peers(const std::string& database) noexcept;

}  // namespace mycelial::engine
