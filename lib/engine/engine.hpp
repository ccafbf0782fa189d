// SPDX-License-Identifier: Apache-2.0
// Engine: everything of a replica that runs on its strand. Never blocks but on the disk, owns no
// thread unless it watches the file or uses a built-in transport. Replica is a thread-safe shell
// around it; the simulator drives it directly. One file per idea:
//   engine.cpp       opening, closing, the calls      engine_links.cpp  what happens on links
//   engine_loop.cpp  time: looking, sealing, ticking  engine_sync.cpp   sync() jobs
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "engine/courtesy.hpp"
#include "engine/depot.hpp"
#include "engine/links.hpp"
#include "engine/peers.hpp"
#include "engine/seal_schedule.hpp"
#include "engine/sync_job.hpp"
#include "engine/transports.hpp"
#include "mycelial/replica.hpp"
#include "runtime/wal_watcher.hpp"
#include "storage/store.hpp"

namespace mycelial::engine {

/// Threads: all methods on the strand, or where nothing else runs.
class Engine final : public LinkSink, public std::enable_shared_from_this<Engine> {
 public:
  struct Setup {
    std::string path;
    /// Every member of `environment` is set.
    ReplicaOptions options;
    bool create = false;
    /// Leave the state of peers beside the database for the status of a second process.
    bool publish_peers = true;
    bool synchronous_full = true;
    std::uint64_t collect_every_ms = 60'000;  ///< See storage::StoreOptions.
    std::size_t collect_worth = 200;
  };
  /// Opens the store and starts.
  static Result<std::shared_ptr<Engine>> open(Setup setup);
  /// The same on a store of the caller's.
  static std::shared_ptr<Engine> over(Setup setup, std::unique_ptr<storage::Store> store);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Status track(const std::string& table);
  Result<std::vector<TrackedTable>> track_all();
  Status untrack(const std::string& table);
  Status untrack_all();
  Status alter(const std::string& sql);
  Status resolve(const std::string& conflict, const Resolution& how);
  Status set_policy(const std::string& table, const std::string& column, const std::string& policy);
  Result<std::vector<PolicyInfo>> policies();
  Status add_transport(std::unique_ptr<Transport> transport);
  Result<std::string> listen(const std::string& endpoint);
  Status connect(const std::string& endpoint);
  /// `done` is called exactly once, on the strand, perhaps before this returns.
  void sync(const std::string& endpoint, std::uint32_t timeout_ms, Replica::Progress progress,
            std::function<void(Status)> done);
  Status seal();
  Result<ReplicaStatus> status();
  Result<std::vector<Conflict>> conflicts();
  Result<std::string> digest();
  Result<std::vector<std::string>> check();
  Result<std::vector<MemberInfo>> members();
  Status forget(const std::string& site);
  void on_change(ChangeCallback callback);

  /// There may have been a commit.
  void poke();
  /// Says goodbye, stops transports, closes the file. Idempotent.
  void close() noexcept;

  const std::shared_ptr<Strand>& strand() const { return strand_; }
  bool in_sync() const;  ///< Every open link is.

  void link_up(NewLink link) override;
  void link_message(core::LinkNumber number, std::string_view message) override;
  void link_writable(core::LinkNumber number) override;
  void link_closed(core::LinkNumber number, const Status& reason) override;
  void dial_failed(const std::string& endpoint, DialTag tag, const Status& reason) override;

 private:
  Engine(Setup setup, std::unique_ptr<storage::Store> store);
  void start();
  void shut_down();
  Status usable() const;    ///< Open.
  Status may_sync() const;  ///< And exclusive, and sound.
  TimeMs now() const { return setup_.options.environment.clock->monotonic_ms(); }
  /// Runs one input and what follows from it; an exception poisons.
  template <class F>
  void input(F&& work) noexcept;
  Status told(const Status& status);
  Status change(const std::function<Status()>& work);

  // engine_links.cpp
  void receive(core::LinkNumber number, LinkState& link, std::string_view bytes);
  TimeMs charge(LinkState& link, std::size_t bytes) const;
  void refuse(core::LinkNumber number, const Status& reason);
  void log_peer(const NewLink& link, const std::string& state);
  void drop_links(const std::string& why);

  // engine_loop.cpp
  void after_input();
  void deliver_changes();
  bool look();  ///< True if somebody committed.
  Status seal_now();
  void seal_or_wait();
  void collect_or_wait();
  void on_timer();
  void retry_apply();
  void apply_soon();
  void arm();
  Serving describe_serving();
  void publish_peers_if_due();

  // engine_sync.cpp
  void bind_syncs(const LinkState& link);
  void unbind_syncs(core::LinkNumber number, const LinkState& link, const Status& reason);
  void check_syncs();
  void check_sync(SyncJob& job, TimeMs at);
  void end_sync(SyncJob& job, Status result);
  void abandon_syncs(const Status& why);
  TimeMs sync_due(const SyncJob& job) const;
  void tell_progress(SyncJob& job);
  bool syncs_want(const std::string& endpoint) const;

  const Setup setup_;
  const std::shared_ptr<Strand> strand_;
  const std::shared_ptr<std::atomic<core::LinkNumber>> numbers_;
  Log log_;
  Faults faults_;
  std::unique_ptr<storage::Store> store_;  // null once closed
  Links links_;
  GuardedDepot depot_;
  std::uint64_t session_ = 0;
  std::unique_ptr<core::Exchange> exchange_;  // null unless exclusive
  SealSchedule schedule_;
  Courtesy seal_courtesy_, collect_courtesy_;
  TimeMs collect_at_ = 0;
  PeerBook peers_;
  std::unique_ptr<Acceptor> acceptor_;
  Transports transports_;
  std::list<SyncJob> syncs_;
  DialTag last_tag_ = 0;
  std::shared_ptr<const ChangeCallback> on_change_;
  std::unique_ptr<runtime::WalWatcher> watcher_;
  std::shared_ptr<std::atomic<bool>> announced_;

  TimeMs armed_at_ = kNever;
  std::uint64_t arming_ = 0;
  bool nothing_new_ = false;  // a timer found nothing to do
  TimeMs publish_at_ = kNever, published_at_ = 0;
  std::string published_;
};

template <class F>
void Engine::input(F&& work) noexcept {
  if (!store_) return;
  try {
    try {
      work();
    } catch (const std::bad_alloc&) {
      faults_.outcome("handling an event", Status(Errc::out_of_memory, "out of memory"));
    } catch (const std::exception& e) {
      faults_.poison(e.what());
    }
    after_input();
  } catch (...) {  // Out of memory while recovering: stop for good, leave the file alone.
    close();
  }
}

}  // namespace mycelial::engine
