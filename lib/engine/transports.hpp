// SPDX-License-Identifier: Apache-2.0
// Transports by scheme. Built-in ones are made when first used, so that nobody pays for a thread
// of a network that he does not use.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "mycelial/transport.hpp"

namespace mycelial::engine {

class Transports {
 public:
  /// Replaces a built-in one of the same scheme unless that is in use. Errors: busy.
  Status add(std::unique_ptr<Transport> transport);
  /// The transport that serves the endpoint. Errors: invalid_argument, unsupported.
  Result<Transport*> of(const std::string& endpoint);
  /// A new one for this endpoint alone; null when the scheme is the host's own.
  std::unique_ptr<Transport> make_private(const std::string& endpoint);
  void stop() noexcept;

 private:
  std::map<std::string, std::unique_ptr<Transport>> by_scheme_;
  std::set<std::string> own_;  // schemes of the host's
};

}  // namespace mycelial::engine
