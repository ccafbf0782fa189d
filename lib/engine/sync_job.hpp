// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/link_adapter.hpp"
#include "engine/seal_schedule.hpp"
#include "mycelial/replica.hpp"

namespace mycelial::engine {

/// One sync() under way: dial, wait until both ends hold the union, hang up.
struct SyncJob {
  DialTag tag = 0;
  std::string endpoint;
  TimeMs deadline = kNever;
  Replica::Progress progress;
  std::function<void(Status)> done;
  // Its own way there, closed at the end. Null: a link that connect() keeps, or the host's
  // transport, whose links are shared.
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<Transport> transport;

  core::LinkNumber link = 0;  ///< 0: none is up.
  bool was_up = false;
  bool sealed = false;        ///< What was written before the link came up has been sealed.
  TimeMs agreed_at = kNever;  ///< Since when both ends have been saying the same.
  std::uint64_t missing_here = kNever, missing_there = kNever;  ///< Last progress told.
  Status last_failure;

  bool ending = false;  ///< The result is known; the link is given time to close.
  TimeMs end_by = kNever;
  Status result;

  bool owns_link() const { return transport != nullptr; }
};

}  // namespace mycelial::engine
