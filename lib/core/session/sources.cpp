// SPDX-License-Identifier: Apache-2.0
#include "core/session/sources.hpp"

#include <algorithm>

namespace mycelial::core {

const Source* Sources::find(const Hash& unit) const {
  const auto it = units_.find(unit);
  return it == units_.end() ? nullptr : &it->second;
}

std::size_t Sources::begun(LinkNumber link) const {
  const auto it = by_link_.find(link);
  return it == by_link_.end() ? 0 : it->second.size();
}

void Sources::put(const Hash& unit, const Source& source) {
  erase(unit);
  units_[unit] = source;
  by_link_[source.link].insert({source.heard_at, unit});
}

void Sources::erase(const Hash& unit) {
  const auto it = units_.find(unit);
  if (it == units_.end()) return;
  const auto of = by_link_.find(it->second.link);
  of->second.erase({it->second.heard_at, unit});
  if (of->second.empty()) by_link_.erase(of);
  units_.erase(it);
}

void Sources::link_gone(LinkNumber link) {
  const auto of = by_link_.find(link);
  if (of == by_link_.end() || link == 0) return;
  for (const auto& [at, unit] : of->second) units_.at(unit).link = 0;
  by_link_[0].merge(of->second);
  by_link_.erase(of);
}

std::optional<Hash> Sources::spare(LinkNumber link) const {
  auto most = by_link_.find(0);
  if (most == by_link_.end()) {
    most = std::max_element(by_link_.begin(), by_link_.end(), [](const auto& a, const auto& b) {
      return a.second.size() < b.second.size();
    });
    if (most == by_link_.end() || most->second.size() <= begun(link) + 1) return std::nullopt;
  }
  return most->second.begin()->second;
}

}  // namespace mycelial::core
