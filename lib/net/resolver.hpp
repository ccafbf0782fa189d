// SPDX-License-Identifier: Apache-2.0
// Names to addresses. getaddrinfo() can block for many seconds and cannot be interrupted, and
// Asio's resolver is joined when its context ends; stop() must not wait for that.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "mycelial/status.hpp"
#include "net/loop.hpp"

namespace mycelial::net {

using Addresses = Result<std::vector<tcp::endpoint>>;

/// Blocks for names, not for numeric addresses. Gives at least one address, at most 8.
Addresses resolve(const Endpoint& endpoint);
/// Calls back on the loop's thread, unless the loop is gone by then. Names are looked up on a
/// short-lived thread that nobody waits for.
void resolve_async(const std::shared_ptr<Loop>& loop, const Endpoint& endpoint,
                   std::function<void(Addresses)> done);

}  // namespace mycelial::net
