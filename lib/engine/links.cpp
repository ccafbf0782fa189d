// SPDX-License-Identifier: Apache-2.0
#include "engine/links.hpp"

#include <exception>
#include <utility>

#include "codec/codec.hpp"

namespace mycelial::engine {

LinkState& Links::add(NewLink link) {
  LinkState state;
  state.caps = link.link->caps();
  if (!link.dialed) link.endpoint = link.link->remote();
  state.about = std::move(link);
  const core::LinkNumber number = state.about.number;
  return links_[number] = std::move(state);
}

LinkState* Links::find(core::LinkNumber number) {
  const auto found = links_.find(number);
  return found == links_.end() ? nullptr : &found->second;
}

std::size_t Links::open() const {
  std::size_t count = 0;
  for (const auto& [number, state] : links_) count += state.closing ? 0 : 1;
  return count;
}

/// A transport of the host that throws has broken that link, and nothing else.
SendOutcome Links::hand_over(LinkState& state, const Bytes& bytes) {
  std::string why = "an exception";
  try {
    return state.about.link->send(bytes);
  } catch (const std::exception& e) {
    why = e.what();
  } catch (...) {
  }
  faults_.note("the link to " + state.about.endpoint + " threw when it was to send: " + why);
  state.closing = true;
  state.fault = "the transport failed: " + why;
  state.fault_code = Errc::io;
  state.about.link->close();
  return SendOutcome::closed;
}

SendOutcome Links::send(core::LinkNumber link, const core::Message& message) {
  LinkState* const state = find(link);
  if (state == nullptr || state->closing) return SendOutcome::closed;
  const Bytes bytes = codec::encode_message(message);
  if (bytes.size() > state->caps.message_bytes_max) {
    faults_.note("a message of " + std::to_string(bytes.size()) +
                 " bytes did not fit the link to " + state->about.endpoint + ", which takes " +
                 std::to_string(state->caps.message_bytes_max));
    return SendOutcome::accepted;  // lost, as messages may be; offering it again would not help
  }
  const SendOutcome outcome = hand_over(*state, bytes);
  if (outcome != SendOutcome::accepted) return outcome;
  if (const auto* have = std::get_if<core::HaveMessage>(&message.body)) {
    if (have->last_part) state->said = have->have;
  } else if (const auto* digest = std::get_if<core::DigestMessage>(&message.body)) {
    state->said = digest->have;
  }
  return outcome;
}

void Links::close(core::LinkNumber link, const std::string& reason) {
  LinkState* const state = find(link);
  if (state == nullptr || state->closing) return;
  state->closing = true;
  if (state->fault.empty()) {
    state->fault = reason;
    state->fault_code = Errc::io;
  }
  state->about.link->close();
}

void Links::say_bye(core::LinkNumber number, const Status& reason, const core::Site& site,
                    std::uint64_t session) {
  LinkState* const state = find(number);
  if (state == nullptr || state->closing) return;
  constexpr std::size_t kBesideReason = 40;  // of the message
  core::ByeMessage bye;
  bye.reason =
      std::string(reason.message()).substr(0, state->caps.message_bytes_max - kBesideReason);
  const Bytes bytes = codec::encode_message({site, session, std::move(bye)});
  if (bytes.size() <= state->caps.message_bytes_max) (void)hand_over(*state, bytes);
  state->fault = std::string(reason.message());
  state->fault_code = reason.code();
  state->closing = true;
  state->about.link->close();
}

std::uint64_t Links::random() {
  std::uint64_t out = 0;
  entropy_.fill(&out, sizeof out);
  return out;
}

}  // namespace mycelial::engine
