// SPDX-License-Identifier: Apache-2.0
// Units begun: who sends each, since when, and which one gives way when there are too many.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/exchange.hpp"

namespace mycelial::core {

struct Source {
  LinkNumber link = 0;  ///< 0: it has gone.
  TimeMs heard_at = 0, begun_at = 0;
  Stream stream;
  std::uint64_t first = 0;
  bool mixed = false;  ///< Some of it came from elsewhere: if it is bad, nobody knows whose fault.
};

class Sources {
 public:
  const Source* find(const Hash& unit) const;
  std::size_t size() const { return units_.size(); }
  std::size_t begun(LinkNumber link) const;
  void put(const Hash& unit, const Source& source);
  void erase(const Hash& unit);
  void link_gone(LinkNumber link);
  /// What gives way to a unit of `link`: the oldest of those whose link has gone, else of the link
  /// that has begun most. None if that is `link` itself.
  std::optional<Hash> spare(LinkNumber link) const;

 private:
  std::map<Hash, Source> units_;
  std::map<LinkNumber, std::set<std::pair<TimeMs, Hash>>> by_link_;
};

}  // namespace mycelial::core
