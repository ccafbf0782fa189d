// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "codec/codec.hpp"
#include "engine/engine.hpp"

namespace mycelial::engine {

void Engine::link_up(NewLink link) {
  if (!store_ || faults_.poisoned()) {
    link.link->close();
    return;
  }
  const bool wanted =
      !link.dialed || link.tag != 0 || peers_.is_dialed(link.endpoint) || syncs_want(link.endpoint);
  if (!wanted) {  // a transport of the host goes on dialing what sync() once asked for
    link.link->close();
    return;
  }
  input([&] {
    // The first statement on a link covers all that was written before.
    if (schedule_.is_dirty() || store_->changed_outside()) {
      schedule_.dirty(now());
      (void)seal_now();
    }
    LinkState& state = links_.add(std::move(link));
    log_peer(state.about, "connected");
    schedule_.set_links(true);
    exchange_->link_up(state.about.number, state.caps, now());
    bind_syncs(state);
  });
}

void Engine::link_message(core::LinkNumber number, std::string_view message) {
  LinkState* const link = links_.find(number);
  if (link == nullptr) return;
  const std::shared_ptr<Link> pipe = link->about.link;
  const core::TimeMs early = charge(*link, message.size());
  if (!link->closing) input([&] { receive(number, *link, message); });
  if (early == 0) return pipe->consumed(message.size());
  strand_->post_at(now() + early, [pipe, bytes = message.size()] { pipe->consumed(bytes); });
}

/// How long the link has to wait for having brought these bytes before their time, ms.
core::TimeMs Engine::charge(LinkState& link, std::size_t bytes) const {
  const std::uint64_t rate = setup_.options.receive_bytes_per_second_max;
  if (rate == 0) return 0;
  constexpr core::TimeMs kAtOnceMs = 1000;  // so much of a burst is fine
  link.paid_until = std::max(link.paid_until, now()) + 1000 * bytes / rate;
  return link.paid_until > now() + kAtOnceMs ? link.paid_until - now() - kAtOnceMs : 0;
}

void Engine::receive(core::LinkNumber number, LinkState& link, std::string_view bytes) {
  auto message = codec::decode_message(bytes);
  if (!message.ok()) return refuse(number, message.status());
  if (message->session == session_ && !link.caps.group) {
    return refuse(number,
                  Status(Errc::invalid_argument, "this link leads back to where it begins"));
  }
  if (const auto* bye = std::get_if<core::ByeMessage>(&message->body)) {
    link.fault = bye->reason == kClosing ? "the peer has stopped" : "the peer said: " + bye->reason;
    link.fault_code = bye->reason == kClosing ? Errc::closed : Errc::io;
  }
  exchange_->receive(number, *message, now());
}

/// The peer is at fault: it is told why, and that link goes. The transport's back-off keeps a
/// dialed one from coming back at once.
void Engine::refuse(core::LinkNumber number, const Status& reason) {
  const LinkState* const link = links_.find(number);
  if (link == nullptr) return;
  faults_.note("the link to " + link->about.endpoint + " was closed: " + reason.to_string());
  links_.say_bye(number, reason, store_->site(), session_);
}

void Engine::link_writable(core::LinkNumber number) {
  const LinkState* const link = links_.find(number);
  if (link == nullptr || link->closing) return;
  input([&] { exchange_->writable(number, now()); });
}

void Engine::link_closed(core::LinkNumber number, const Status& reason) {
  LinkState* const link = links_.find(number);
  if (link == nullptr) return;
  input([&] {
    exchange_->link_down(number, now());
    peers_.left(*link, reason);
    const LinkState last = *link;
    log_peer(last.about,
             "gone: " + (last.fault.empty() ? std::string(reason.message()) : last.fault));
    links_.erase(number);
    schedule_.set_links(links_.open() > 0);
    unbind_syncs(number, last, reason);
  });
}

void Engine::dial_failed(const std::string& endpoint, DialTag tag, const Status& reason) {
  input([&] {
    if (tag == 0 && peers_.dial_failed(endpoint, std::string(reason.message()))) {
      log_.state(endpoint, "not reached: " + std::string(reason.message()));
    }
    for (SyncJob& job : syncs_) {
      const bool meant = tag != 0 ? job.tag == tag : !job.owns_link() && job.endpoint == endpoint;
      if (!meant || job.ending) continue;
      job.last_failure = reason;
      if (!job.was_up) end_sync(job, reason);
    }
  });
}

/// Peers that come to us are many, each from a port of its own: nothing is remembered of them.
void Engine::log_peer(const NewLink& link, const std::string& state) {
  if (link.dialed) return log_.state(link.endpoint, state);
  log_.say(link.endpoint + " " + state);
}

void Engine::drop_links(const std::string& why) {
  std::vector<core::LinkNumber> numbers;
  for (const auto& [number, link] : links_.all()) numbers.push_back(number);
  for (const core::LinkNumber number : numbers) {
    links_.say_bye(number, Status(Errc::closed, why), store_->site(), session_);
  }
}

}  // namespace mycelial::engine
