// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"

#include <algorithm>
#include <utility>

#include "engine/policy_adapter.hpp"

namespace mycelial::engine {
namespace {

// The strand is never blocked for longer by somebody's lock; callers that want to wait try again.
constexpr std::uint32_t kStrandBusyMs = 1000;
constexpr std::uint32_t kPollMs = 1000;
constexpr std::uint32_t kPollUnwatchedMs = 100;
constexpr TimeMs kFirstCollectMs = 20'000;

}  // namespace

Result<std::shared_ptr<Engine>> Engine::open(Setup setup) {
  storage::StoreOptions options;
  options.clock = setup.options.environment.clock;
  options.entropy = setup.options.environment.entropy;
  options.busy_timeout_ms = std::min(setup.options.busy_timeout_ms, kStrandBusyMs);
  options.tail_bytes_max = setup.options.tail_bytes_max;
  options.conflicts_max = setup.options.conflicts_max;
  if (setup.options.retention_s) options.retention_ms = setup.options.retention_s * 1000;
  options.collect_every_ms = setup.collect_every_ms;
  options.collect_worth = setup.collect_worth;
  options.create = setup.create;
  options.exclusive = setup.options.exclusive;
  options.synchronous_full = setup.synchronous_full;
  auto mergers = mergers_of(setup.options.policies);
  if (!mergers.ok()) return mergers.status();
  options.mergers = std::move(mergers).value();
  auto store = storage::Store::open(setup.path, options);
  if (!store.ok()) return store.status();
  return over(std::move(setup), std::move(store).value());
}

std::shared_ptr<Engine> Engine::over(Setup setup, std::unique_ptr<storage::Store> store) {
  std::shared_ptr<Engine> engine(new Engine(std::move(setup), std::move(store)));
  engine->start();
  return engine;
}

Engine::Engine(Setup setup, std::unique_ptr<storage::Store> store)
    : setup_(std::move(setup)),
      strand_(std::make_shared<Strand>(*setup_.options.environment.executor)),
      numbers_(std::make_shared<std::atomic<core::LinkNumber>>(0)),
      log_(setup_.options.log),
      faults_(log_),
      store_(std::move(store)),
      links_(*setup_.options.environment.entropy, faults_),
      depot_(*store_, *setup_.options.environment.clock, faults_),
      schedule_(setup_.options.debounce_ms, kPollMs, now()),
      announced_(std::make_shared<std::atomic<bool>>(false)) {}

Engine::~Engine() {
  close();
}

/// The first look is a task of the strand, so that open() may be called on any thread.
void Engine::start() {
  if (!setup_.options.exclusive) return;
  do {
    setup_.options.environment.entropy->fill(&session_, sizeof session_);
  } while (session_ == 0);
  exchange_ = std::make_unique<core::Exchange>(depot_, links_, session_);
  acceptor_ = std::make_unique<Acceptor>(weak_from_this(), strand_, numbers_, 0);
  if (setup_.publish_peers) remove_serving(setup_.path);
  const auto self = weak_from_this();
  if (setup_.options.watch) {
    watcher_ = std::make_unique<runtime::WalWatcher>();
    const bool watching = watcher_->start(setup_.path, [self, strand = strand_, flag = announced_] {
      if (flag->exchange(true)) return;
      strand->post([self] {
        if (const auto engine = self.lock()) engine->poke();
      });
    });
    if (!watching) {
      watcher_ = nullptr;
      schedule_.set_poll(kPollUnwatchedMs);
    }
  }
  collect_at_ = now() + std::min<TimeMs>(setup_.collect_every_ms, kFirstCollectMs);
  strand_->post([self] {
    if (const auto engine = self.lock())
      engine->input([&] { engine->schedule_.dirty(engine->now()); });
  });
}

Status Engine::usable() const {
  return store_ ? Status() : Status(Errc::closed, setup_.path + ": the replica is closed");
}

Status Engine::may_sync() const {
  if (Status status = usable(); !status.ok()) return status;
  if (!exchange_) {
    return Status(Errc::unsupported,
                  setup_.path + " was opened without its links (exclusive is off)");
  }
  if (faults_.poisoned()) return Status(Errc::internal, faults_.last_error());
  return {};
}

/// A failure that the caller is told; only an internal one is remembered too.
Status Engine::told(const Status& status) {
  if (status.code() == Errc::internal) faults_.poison(std::string(status.message()));
  return status;
}

/// What the store is asked to change may have made sets.
Status Engine::change(const std::function<Status()>& work) {
  Status status = usable();
  if (!status.ok()) return status;
  input([&] {
    status = told(work());
    schedule_.dirty(now());
  });
  return status;
}

Status Engine::track(const std::string& table) {
  return change([&] { return store_->track(table); });
}

Result<std::vector<TrackedTable>> Engine::track_all() {
  if (Status status = usable(); !status.ok()) return status;
  Result<std::vector<TrackedTable>> tables(Errc::internal, "tracking was interrupted");
  input([&] {
    tables = store_->track_all();
    (void)told(tables.status());
    schedule_.dirty(now());
  });
  return tables;
}

Status Engine::untrack(const std::string& table) {
  Status status = usable();
  if (status.ok()) input([&] { status = told(store_->untrack(table)); });
  return status;
}

Status Engine::untrack_all() {
  Status status = usable();
  if (status.ok()) input([&] { status = told(store_->untrack_all()); });
  return status;
}

Status Engine::alter(const std::string& sql) {
  return change([&] { return store_->alter(sql); });
}

Status Engine::resolve(const std::string& conflict, const Resolution& how) {
  return change([&] { return store_->resolve(conflict, how); });
}

Status Engine::set_policy(const std::string& table, const std::string& column,
                          const std::string& policy) {
  return change([&] { return store_->set_policy(table, column, policy); });
}

Result<std::vector<PolicyInfo>> Engine::policies() {
  if (Status status = usable(); !status.ok()) return status;
  return store_->policies();
}

Status Engine::add_transport(std::unique_ptr<Transport> transport) {
  if (Status status = may_sync(); !status.ok()) return status;
  return transports_.add(std::move(transport));
}

Result<std::string> Engine::listen(const std::string& endpoint) {
  if (Status status = may_sync(); !status.ok()) return status;
  auto transport = transports_.of(endpoint);
  if (!transport.ok()) return transport.status();
  return (*transport)->listen(endpoint, *acceptor_);
}

Status Engine::connect(const std::string& endpoint) {
  if (Status status = may_sync(); !status.ok()) return status;
  if (peers_.is_dialed(endpoint)) return {};
  auto transport = transports_.of(endpoint);
  if (!transport.ok()) return transport.status();
  Status status = (*transport)->dial(endpoint, *acceptor_);
  if (status.ok()) input([&] { peers_.dialing(endpoint); });
  return status;
}

Status Engine::seal() {
  Status status = usable();
  if (status.ok() && faults_.poisoned()) return Status(Errc::internal, faults_.last_error());
  if (status.ok()) input([&] { status = seal_now(); });
  return status;
}

Result<ReplicaStatus> Engine::status() {
  if (Status status = usable(); !status.ok()) return status;
  auto out = store_->status();
  if (!out.ok()) return out;
  Serving serving = exchange_ ? describe_serving() : read_serving(setup_.path);
  out->peers = std::move(serving.peers);
  out->last_error = std::move(serving.last_error);
  out->collisions = serving.collisions;
  // The file hears of it later.
  out->own_sets_elsewhere = std::max(out->own_sets_elsewhere, serving.own_sets_elsewhere);
  out->own_sets_everywhere = std::max(out->own_sets_everywhere, serving.own_sets_everywhere);
  for (std::string& note : serving.notes) {
    if (std::find(out->notes.begin(), out->notes.end(), note) == out->notes.end()) {
      out->notes.push_back(std::move(note));
    }
  }
  return out;
}

Result<std::vector<Conflict>> Engine::conflicts() {
  if (Status status = usable(); !status.ok()) return status;
  return store_->conflicts();
}

Result<std::string> Engine::digest() {
  if (Status status = usable(); !status.ok()) return status;
  return store_->digest();
}

Result<std::vector<std::string>> Engine::check() {
  if (Status status = usable(); !status.ok()) return status;
  return store_->check();
}

Result<std::vector<MemberInfo>> Engine::members() {
  if (Status status = usable(); !status.ok()) return status;
  return store_->describe_members();
}

Status Engine::forget(const std::string& site) {
  Status status = usable();
  if (status.ok()) input([&] { status = told(store_->forget_member(site)); });
  return status;
}

void Engine::on_change(ChangeCallback callback) {
  on_change_ = callback ? std::make_shared<const ChangeCallback>(std::move(callback)) : nullptr;
}

bool Engine::in_sync() const {
  if (!exchange_) return false;
  for (const auto& [number, link] : links_.all()) {
    if (!link.closing && !exchange_->in_sync(number)) return false;
  }
  return true;
}

void Engine::close() noexcept {
  try {
    shut_down();
  } catch (...) {  // Out of memory: what remains is freed by the destructor.
  }
}

void Engine::shut_down() {
  if (!store_) return;
  if (watcher_) watcher_->stop();
  if (exchange_) drop_links(kClosing);
  abandon_syncs(Status(Errc::closed, setup_.path + ": the replica was closed"));
  for (SyncJob& job : syncs_) {
    if (job.transport) job.transport->stop();
  }
  transports_.stop();
  syncs_.clear();
  const bool exclusive = exchange_ != nullptr;
  exchange_ = nullptr;
  on_change_ = nullptr;
  if (setup_.publish_peers && setup_.options.exclusive) remove_serving(setup_.path);
  if (exclusive) (void)store_->save_members_now();  // else it is heard again
  store_ = nullptr;
}

}  // namespace mycelial::engine
