// SPDX-License-Identifier: Apache-2.0
// Links: the links that are up, as the session's way out.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/faults.hpp"
#include "engine/link_adapter.hpp"
#include "mycelial/environment.hpp"

namespace mycelial::engine {

/// The reason in a goodbye that is nobody's fault.
constexpr char kClosing[] = "closing";

struct LinkState {
  NewLink about;
  LinkCaps caps;
  bool closing = false;
  core::TimeMs paid_until = 0;  ///< By the limit of what it may bring, it has brought so much.
  std::string fault;            ///< Why this side or the peer said goodbye.
  Errc fault_code = Errc::ok;
  Hash said;  ///< Digest of what our last whole statement on this link listed.
};

class Links final : public core::Port {
 public:
  Links(Entropy& entropy, Faults& faults) : entropy_(entropy), faults_(faults) {}

  LinkState& add(NewLink link);
  LinkState* find(core::LinkNumber number);
  void erase(core::LinkNumber number) { links_.erase(number); }
  const std::map<core::LinkNumber, LinkState>& all() const { return links_; }
  std::size_t open() const;  ///< Links that are not closing.

  /// Says why and closes. The site and session are those that messages of ours carry.
  void say_bye(core::LinkNumber number, const Status& reason, const core::Site& site,
               std::uint64_t session);

  SendOutcome send(core::LinkNumber link, const core::Message& message) override;
  void close(core::LinkNumber link, const std::string& reason) override;
  std::uint64_t random() override;

 private:
  SendOutcome hand_over(LinkState& state, const Bytes& bytes);

  std::map<core::LinkNumber, LinkState> links_;
  Entropy& entropy_;
  Faults& faults_;
};

}  // namespace mycelial::engine
