// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "engine/engine.hpp"

namespace mycelial::engine {
namespace {

// Our last statement should reach the peer before we hang up; it is not worth more than this.
constexpr TimeMs kLastWordMs = 500;
constexpr TimeMs kHangUpMs = 500;

}  // namespace

void Engine::sync(const std::string& endpoint, std::uint32_t timeout_ms, Replica::Progress progress,
                  std::function<void(Status)> done) {
  if (Status status = may_sync(); !status.ok()) return done(status);
  Status status;
  input([&] {
    SyncJob& job = syncs_.emplace_back();
    job.tag = ++last_tag_;
    job.endpoint = endpoint;
    job.deadline = now() + timeout_ms;
    job.progress = std::move(progress);
    job.done = done;
    schedule_.dirty(now());
    for (const auto& [number, link] : links_.all()) {
      if (!link.closing && link.about.dialed && link.about.endpoint == endpoint) {
        (void)seal_now();
        bind_syncs(link);
        return;
      }
    }
    if ((job.transport = transports_.make_private(endpoint))) {
      job.acceptor = std::make_unique<Acceptor>(weak_from_this(), strand_, numbers_, job.tag);
      status = job.transport->dial(endpoint, *job.acceptor);
    } else if (!peers_.is_dialed(endpoint)) {
      const auto transport = transports_.of(endpoint);
      status = transport.ok() ? (*transport)->dial(endpoint, *acceptor_) : transport.status();
    }
    if (!status.ok()) end_sync(job, status);
  });
}

TimeMs Engine::sync_due(const SyncJob& job) const {
  const TimeMs last_word =
      job.agreed_at == kNever || job.ending ? kNever : job.agreed_at + kLastWordMs;
  return std::min({job.deadline, job.end_by, last_word});
}

bool Engine::syncs_want(const std::string& endpoint) const {
  return std::any_of(syncs_.begin(), syncs_.end(), [&](const SyncJob& job) {
    return !job.ending && !job.owns_link() && job.endpoint == endpoint;
  });
}

void Engine::bind_syncs(const LinkState& link) {
  for (SyncJob& job : syncs_) {
    if (job.link != 0 || job.ending || !link.about.dialed) continue;
    const bool mine = job.owns_link() ? link.about.tag == job.tag
                                      : link.about.tag == 0 && link.about.endpoint == job.endpoint;
    if (!mine) continue;
    job.link = link.about.number;
    job.was_up = true;
    job.agreed_at = kNever;
  }
}

void Engine::unbind_syncs(core::LinkNumber number, const LinkState& link, const Status& reason) {
  for (SyncJob& job : syncs_) {
    if (job.link != number) continue;
    job.link = 0;
    if (job.ending) continue;
    job.last_failure = reason;
    if (!link.fault.empty()) {
      end_sync(job,
               Status(link.fault_code == Errc::closed ? Errc::io : link.fault_code, link.fault));
    }
  }
}

void Engine::end_sync(SyncJob& job, Status result) {
  if (job.ending) return;
  job.ending = true;
  job.result = std::move(result);
  job.deadline = kNever;
  job.end_by = now();
  if (!job.owns_link() || job.link == 0) return;
  job.end_by += kHangUpMs;
  links_.say_bye(job.link, Status(Errc::closed, kClosing), store_->site(), session_);
}

void Engine::tell_progress(SyncJob& job) {
  if (!job.progress) return;
  for (const core::PeerStatus& peer : exchange_->peers()) {
    if (peer.link != job.link || !peer.heard) continue;
    const bool same =
        peer.we_lack_sets == job.missing_here && peer.they_lack_sets == job.missing_there;
    job.missing_here = peer.we_lack_sets;
    job.missing_there = peer.they_lack_sets;
    if (same) return;
    try {
      job.progress(peer.we_lack_sets, peer.they_lack_sets);
    } catch (...) {
      faults_.note("the progress callback of a sync threw an exception");
      job.progress = nullptr;
    }
    return;
  }
}

void Engine::check_sync(SyncJob& job, TimeMs at) {
  if (!schedule_.is_dirty() && job.link != 0) job.sealed = true;
  if (job.link != 0) {
    tell_progress(job);
    const bool agreed = job.sealed && exchange_->in_sync(job.link);
    if (!agreed) {
      job.agreed_at = kNever;
    } else {
      job.agreed_at = std::min(job.agreed_at, at);
      const LinkState* const link = links_.find(job.link);
      const bool told = link != nullptr && link->said == core::have_digest(store_->have());
      if (told || at >= job.agreed_at + kLastWordMs) return end_sync(job, {});
    }
  }
  if (at < job.deadline) return;
  std::string why = "no agreement with " + job.endpoint + " within the time given";
  if (!job.last_failure.ok()) why += "; " + job.last_failure.to_string();
  if (const std::string error = faults_.last_error(); !error.empty()) why += "; " + error;
  end_sync(job, Status(Errc::canceled, why));
}

void Engine::check_syncs() {
  const TimeMs at = now();
  std::list<SyncJob> over;
  for (auto job = syncs_.begin(); job != syncs_.end();) {
    const auto here = job++;
    if (!here->ending) check_sync(*here, at);
    if (!here->ending) continue;
    if (here->link != 0 && at < here->end_by && links_.find(here->link) != nullptr &&
        here->owns_link()) {
      continue;
    }
    over.splice(over.end(), syncs_, here);
  }
  for (SyncJob& job : over) {
    if (job.transport) job.transport->stop();
    if (job.done) job.done(job.result);
  }
}

void Engine::abandon_syncs(const Status& why) {
  for (SyncJob& job : syncs_) {
    if (!job.ending) job.result = why;
    job.ending = true;
    job.deadline = kNever;
    job.end_by = 0;
    const auto done = std::exchange(job.done, nullptr);
    if (done) done(job.result);
  }
}

}  // namespace mycelial::engine
