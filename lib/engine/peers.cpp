// SPDX-License-Identifier: Apache-2.0
#include "engine/peers.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace mycelial::engine {
namespace {
constexpr std::size_t kGoneMax = 16;
}  // namespace

bool PeerBook::dial_failed(const std::string& endpoint, const std::string& why) {
  const auto found = dialed_.find(endpoint);
  if (found == dialed_.end()) return false;
  if (std::exchange(found->second.just_left, false)) return false;
  found->second.error = why;
  return true;
}

void PeerBook::left(const LinkState& link, const Status& reason) {
  const std::string why = link.fault.empty() ? std::string(reason.message()) : link.fault;
  if (link.about.dialed) {
    const auto found = dialed_.find(link.about.endpoint);
    if (found != dialed_.end()) found->second = {why, true};
    return;
  }
  if (link.fault.empty() || link.fault_code == Errc::closed) return;
  PeerInfo info;
  info.endpoint = link.about.endpoint;
  info.last_error = why;
  gone_.push_back(std::move(info));
  if (gone_.size() > kGoneMax) gone_.pop_front();
}

std::vector<PeerInfo> PeerBook::list(const Links& links,
                                     const std::vector<core::PeerStatus>& peers) const {
  std::vector<PeerInfo> out;
  std::set<std::string> up;
  for (const auto& [number, link] : links.all()) {
    if (link.closing) continue;
    PeerInfo info;
    info.endpoint = link.about.endpoint;
    info.connected = true;
    const auto peer = std::find_if(peers.begin(), peers.end(),
                                   [n = number](const auto& p) { return p.link == n; });
    if (peer != peers.end() && peer->heard) {
      if (!peer->site.is_baseline()) info.site = peer->site.hex();
      info.in_sync = peer->in_sync;
      info.they_lack_sets = peer->they_lack_sets;
      info.we_lack_sets = peer->we_lack_sets;
    }
    if (link.about.dialed) up.insert(link.about.endpoint);
    out.push_back(std::move(info));
  }
  for (const auto& [endpoint, dialed] : dialed_) {
    if (up.contains(endpoint)) continue;
    PeerInfo info;
    info.endpoint = endpoint;
    info.last_error = dialed.error;
    out.push_back(std::move(info));
  }
  out.insert(out.end(), gone_.begin(), gone_.end());
  return out;
}

}  // namespace mycelial::engine
