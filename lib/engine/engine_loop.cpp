// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "engine/engine.hpp"

namespace mycelial::engine {
namespace {

// Without a link nothing needs sealing, but a journal must not grow without bound either.
constexpr std::uint64_t kJournalMax = 10000;
constexpr TimeMs kPublishEveryMs = 1000;
constexpr TimeMs kPublishSoonMs = 20;
constexpr TimeMs kCollectPauseMs = 20;

}  // namespace

void Engine::poke() {
  announced_->store(false);  // before looking: a commit from here on announces itself again
  input([&] {
    schedule_.announced(now());
    look();
  });
}

bool Engine::look() {
  const bool changed = store_->changed_outside();
  schedule_.looked(changed, now());
  if (watcher_ && !watcher_->active()) schedule_.set_poll(100);
  return changed;
}

Status Engine::seal_now() {
  const auto units = store_->seal();
  faults_.outcome("sealing", units.status());
  if (!units.ok()) {
    schedule_.dirty(now());
    schedule_.seal_failed(now());
    return units.status();
  }
  schedule_.sealed();
  if (exchange_ && !units->empty()) exchange_->sealed(*units, now());
  return {};
}

void Engine::seal_or_wait() {
  if (!schedule_.has_links()) {
    const auto entries = store_->journal_entries(kJournalMax + 1);
    if (entries.ok() && *entries <= kJournalMax) return schedule_.postponed(now());
  }
  if (!seal_courtesy_.may_write(store_->in_use(), now())) {
    return schedule_.put_off(now() + Courtesy::kLookEveryMs);
  }
  (void)seal_now();
}

/// A little at a time, with pauses: nobody waits for it.
void Engine::collect_or_wait() {
  if (!collect_courtesy_.may_write(store_->in_use(), now())) {
    collect_at_ = now() + Courtesy::kLookEveryMs;
    return;
  }
  const auto more = store_->collect();
  if (more.status().code() != Errc::busy) {
    faults_.outcome("collecting what all members hold", more.status());
  }
  const bool soon = more.ok() && *more;
  collect_at_ = now() + (soon ? kCollectPauseMs : std::max<TimeMs>(setup_.collect_every_ms, 1000));
}

void Engine::on_timer() {
  if (!exchange_ || faults_.poisoned()) return;
  const TimeMs at = now();
  nothing_new_ = true;
  const auto if_due = [&](TimeMs due, auto&& work) {
    if (at < due) return;
    nothing_new_ = false;
    work();
  };
  if (at >= schedule_.look_at() && look()) nothing_new_ = false;
  if_due(schedule_.seal_at(), [&] { seal_or_wait(); });
  if_due(exchange_->next_tick(), [&] { exchange_->tick(at); });
  if_due(depot_.retry_at(), [&] { retry_apply(); });
  if (at >= collect_at_) collect_or_wait();
  depot_.forget_old_failures();
  publish_peers_if_due();
}

/// All that arrived meanwhile is applied with it.
void Engine::retry_apply() {
  depot_.gathered();
  exchange_->retry(now());
}

/// What has already been received and waits for its turn comes first.
void Engine::apply_soon() {
  strand_->post([self = weak_from_this()] {
    const auto engine = self.lock();
    if (!engine || !engine->exchange_ || engine->faults_.poisoned()) return;
    engine->input([&] { engine->retry_apply(); });
  });
}

void Engine::deliver_changes() {
  const ChangeEvent event = store_->take_changes();
  if (event.rows == 0 && event.tables.empty()) return;
  const auto callback = on_change_;  // it may be replaced meanwhile
  if (!callback) return;
  try {
    (*callback)(event);
  } catch (...) {
    faults_.note("the change callback threw an exception");
  }
}

void Engine::after_input() {
  if (!store_ || !exchange_) return;
  if (depot_.take_applied()) schedule_.dirty(now());
  if (depot_.take_arrived()) apply_soon();
  for (const auto& note : store_->take_notes()) faults_.note(note);
  deliver_changes();
  if (!store_) return;  // closed by the callback
  if (faults_.poisoned()) {
    drop_links("this replica stopped after an internal error");
    abandon_syncs(Status(Errc::internal, faults_.last_error()));
  }
  check_syncs();
  if (!store_) return;
  const bool nothing_new = std::exchange(nothing_new_, false);
  if (setup_.publish_peers && publish_at_ == kNever && !nothing_new) {
    publish_at_ = std::max(now() + kPublishSoonMs, published_at_ + kPublishEveryMs);
  }
  arm();
}

Serving Engine::describe_serving() {
  const auto own = store_->own_sets();
  return {peers_.list(links_, exchange_->peers()),
          faults_.last_error(),
          faults_.notes(),
          store_->collisions(),
          own.elsewhere,
          own.everywhere};
}

void Engine::publish_peers_if_due() {
  if (now() < publish_at_) return;
  publish_at_ = kNever;
  const Serving serving = describe_serving();
  const bool nothing = serving.peers.empty() && serving.last_error.empty() &&
                       serving.notes.empty() && serving.collisions == 0;
  std::string text = nothing && published_.empty() ? std::string() : format_serving(serving);
  if (text == published_) return;
  published_at_ = now();
  const Status status = write_serving(setup_.path, text);
  faults_.outcome("writing the list of peers", status);
  if (status.ok()) {
    published_ = std::move(text);
  } else {
    publish_at_ = now() + kPublishEveryMs;
  }
}

/// One timer is pending at most, but for those overtaken by an earlier one.
void Engine::arm() {
  if (faults_.poisoned()) return;
  TimeMs next =
      std::min({schedule_.look_at(), schedule_.seal_at(), depot_.retry_at(), collect_at_});
  if (!links_.all().empty()) next = std::min(next, exchange_->next_tick());
  for (const SyncJob& job : syncs_) next = std::min(next, sync_due(job));
  // Nobody is waiting for the list: it goes with whatever comes next, at the latest with a look.
  const bool told = links_.open() > 0 || !published_.empty() || !faults_.last_error().empty();
  if (told) next = std::min(next, publish_at_);
  if (next == kNever) return;
  next = std::max(next, now() + 1);
  if (armed_at_ <= next) return;
  armed_at_ = next;
  strand_->post_at(next, [self = weak_from_this(), arming = ++arming_] {
    const auto engine = self.lock();
    if (!engine || engine->arming_ != arming) return;
    engine->armed_at_ = kNever;
    engine->input([&] { engine->on_timer(); });
  });
}

}  // namespace mycelial::engine
