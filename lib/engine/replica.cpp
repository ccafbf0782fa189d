// SPDX-License-Identifier: Apache-2.0
// The public face: any thread asks, the strand answers.
#include "mycelial/replica.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <system_error>
#include <utility>

#include "engine/engine.hpp"
#include "runtime/runtime.hpp"
#include "runtime/sqlite_copies.hpp"

namespace mycelial {
namespace engine {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCloseMax{1800};
constexpr milliseconds kRetryEvery{25};

const Status& status_of(const Status& status) {
  return status;
}
template <class T>
const Status& status_of(const Result<T>& result) {
  return result.status();
}

Status from_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Status(Errc::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    return Status(Errc::internal, e.what());
  } catch (...) {
    return Status(Errc::internal, "an exception of unknown type");
  }
}

/// What close() and the task that closes share: whoever comes last frees the thread.
struct Closing {
  std::mutex mutex;
  std::condition_variable finished;
  bool done = false;
  std::unique_ptr<runtime::ThreadExecutor> executor;
};

class Shell final : public Replica {
 public:
  Shell(std::shared_ptr<Engine> engine, std::unique_ptr<runtime::ThreadExecutor> own,
        std::uint32_t busy_timeout_ms)
      : engine_(std::move(engine)),
        strand_(engine_->strand()),
        own_(std::move(own)),
        busy_timeout_ms_(busy_timeout_ms) {}
  ~Shell() override { close(); }
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  Status track(const std::string& table) override {
    return patient<Status>([table](Engine& e) { return e.track(table); });
  }
  Result<std::vector<TrackedTable>> track_all() override {
    return patient<Result<std::vector<TrackedTable>>>([](Engine& e) { return e.track_all(); });
  }
  Status untrack(const std::string& table) override {
    return patient<Status>([table](Engine& e) { return e.untrack(table); });
  }
  Status untrack_all() override {
    return patient<Status>([](Engine& e) { return e.untrack_all(); });
  }
  Status alter(const std::string& sql) override {
    return patient<Status>([sql](Engine& e) { return e.alter(sql); });
  }
  Status resolve(const std::string& conflict, const Resolution& how) override {
    return patient<Status>([conflict, how](Engine& e) { return e.resolve(conflict, how); });
  }
  Status set_policy(const std::string& table, const std::string& column,
                    const std::string& policy) override {
    return patient<Status>(
        [table, column, policy](Engine& e) { return e.set_policy(table, column, policy); });
  }
  Result<std::vector<PolicyInfo>> policies() override {
    return patient<Result<std::vector<PolicyInfo>>>([](Engine& e) { return e.policies(); });
  }
  Status add_transport(std::unique_ptr<Transport> transport) override {
    const auto box = std::make_shared<std::unique_ptr<Transport>>(std::move(transport));
    return call<Status>([box](Engine& e) { return e.add_transport(std::move(*box)); });
  }
  Result<std::string> listen(const std::string& endpoint) override {
    return call<Result<std::string>>([endpoint](Engine& e) { return e.listen(endpoint); });
  }
  Status connect(const std::string& endpoint) override {
    return call<Status>([endpoint](Engine& e) { return e.connect(endpoint); });
  }
  Status sync(const std::string& endpoint, std::uint32_t timeout_ms,
              const Progress& progress) override;
  Status seal() override {
    return patient<Status>([](Engine& e) { return e.seal(); });
  }
  Result<ReplicaStatus> status() override {
    return patient<Result<ReplicaStatus>>([](Engine& e) { return e.status(); });
  }
  Result<std::vector<Conflict>> conflicts() override {
    return patient<Result<std::vector<Conflict>>>([](Engine& e) { return e.conflicts(); });
  }
  Result<std::string> digest() override {
    return patient<Result<std::string>>([](Engine& e) { return e.digest(); });
  }
  Result<std::vector<std::string>> check() override {
    return patient<Result<std::vector<std::string>>>([](Engine& e) { return e.check(); });
  }
  Result<std::vector<MemberInfo>> members() override {
    return patient<Result<std::vector<MemberInfo>>>([](Engine& e) { return e.members(); });
  }
  Status forget(const std::string& site) override {
    return patient<Status>([site](Engine& e) { return e.forget(site); });
  }
  void on_change(ChangeCallback callback) override;
  void close() noexcept override;

 private:
  /// Runs `start` on the strand and waits until its promise is kept.
  template <class R>
  R wait_for(std::function<void(Engine&, std::shared_ptr<std::promise<R>>)> start);
  template <class R>
  R call(std::function<R(Engine&)> work);
  /// Somebody else's lock: the strand waits briefly, the caller for as long as the options say.
  template <class R>
  R patient(const std::function<R(Engine&)>& work);

  std::shared_ptr<Engine> engine_;
  const std::shared_ptr<Strand> strand_;
  std::mutex close_mutex_;
  std::unique_ptr<runtime::ThreadExecutor> own_;  // null: the host's executor runs us
  const std::uint32_t busy_timeout_ms_;
  std::mutex wait_mutex_;
  std::condition_variable wake_;
  bool closing_ = false;  // under wait_mutex_
};

template <class R>
R Shell::wait_for(std::function<void(Engine&, std::shared_ptr<std::promise<R>>)> start) {
  if (strand_->inside()) {
    return Status(Errc::invalid_argument,
                  "called from inside a callback of this replica; use another thread");
  }
  try {
    const auto promise = std::make_shared<std::promise<R>>();
    std::future<R> future = promise->get_future();
    {
      const std::lock_guard lock(wait_mutex_);
      if (closing_) return Status(Errc::closed, "the replica is closed");
      strand_->post([engine = engine_, promise, start = std::move(start)]() mutable {
        try {
          start(*engine, std::move(promise));
        } catch (...) {
          if (promise) promise->set_value(from_exception());
        }
      });
    }
    return future.get();
  } catch (const std::future_error&) {  // dropped with the executor
    return Status(Errc::closed, "the replica was closed");
  } catch (...) {
    return from_exception();
  }
}

template <class R>
R Shell::call(std::function<R(Engine&)> work) {
  return wait_for<R>([work = std::move(work)](Engine& e, std::shared_ptr<std::promise<R>> promise) {
    promise->set_value([&]() -> R {
      try {
        return work(e);
      } catch (...) {
        return from_exception();
      }
    }());
  });
}

template <class R>
R Shell::patient(const std::function<R(Engine&)>& work) {
  Clock& clock = runtime::system_clock();
  const std::uint64_t deadline = clock.monotonic_ms() + busy_timeout_ms_;
  for (;;) {
    R result = call<R>(work);
    if (status_of(result).code() != Errc::busy || clock.monotonic_ms() >= deadline) return result;
    std::unique_lock lock(wait_mutex_);
    wake_.wait_for(lock, kRetryEvery, [this] { return closing_; });
  }
}

Status Shell::sync(const std::string& endpoint, std::uint32_t timeout_ms,
                   const Progress& progress) {
  return wait_for<Status>([endpoint, timeout_ms, progress](
                              Engine& e, const std::shared_ptr<std::promise<Status>>& promise) {
    e.sync(endpoint, timeout_ms, progress,
           [promise](Status status) { promise->set_value(std::move(status)); });
  });
}

void Shell::on_change(ChangeCallback callback) {
  if (strand_->inside()) {
    const std::lock_guard lock(wait_mutex_);
    if (!closing_) engine_->on_change(std::move(callback));
    return;
  }
  (void)call<Status>([callback = std::move(callback)](Engine& e) {
    e.on_change(callback);
    return Status();
  });
}

void Shell::close() noexcept {
  try {
    const std::lock_guard serial(close_mutex_);
    {
      const std::lock_guard lock(wait_mutex_);
      if (std::exchange(closing_, true)) return;
    }
    wake_.notify_all();
    const auto closing = std::make_shared<Closing>();
    strand_->post([engine = std::move(engine_), closing]() mutable {
      engine->close();
      engine = nullptr;
      std::unique_ptr<runtime::ThreadExecutor> last;  // freed by its own task, its thread ends
      const std::lock_guard lock(closing->mutex);
      closing->done = true;
      last = std::move(closing->executor);
      closing->finished.notify_all();
    });
    std::unique_lock lock(closing->mutex);
    const auto is_done = [&] { return closing->done; };
    const bool done =
        strand_->inside() ? false : closing->finished.wait_for(lock, kCloseMax, is_done);
    if (!done) closing->executor = std::move(own_);
    lock.unlock();
    own_ = nullptr;
  } catch (...) {  // Out of memory for a task: the members' destructors close.
  }
}

Environment complete(Environment environment, std::unique_ptr<runtime::ThreadExecutor>& own) {
  if (environment.clock == nullptr) environment.clock = &runtime::system_clock();
  if (environment.entropy == nullptr) environment.entropy = &runtime::system_entropy();
  if (environment.executor == nullptr) {
    own = runtime::make_thread_executor();
    environment.executor = own.get();
  }
  return environment;
}

}  // namespace
}  // namespace engine

Result<std::unique_ptr<Replica>> Replica::open(const std::string& path,
                                               const ReplicaOptions& options, bool create) {
  try {
    if (Status status = runtime::check_sqlite_copies(); !status.ok()) return status;
    std::unique_ptr<runtime::ThreadExecutor> own;
    engine::Engine::Setup setup;
    setup.path = path;
    setup.options = options;
    setup.options.environment = engine::complete(options.environment, own);
    setup.create = create;
    auto opened = engine::Engine::open(std::move(setup));
    if (!opened.ok()) return opened.status();
    return std::unique_ptr<Replica>(std::make_unique<engine::Shell>(
        std::move(opened).value(), std::move(own), options.busy_timeout_ms));
  } catch (...) {
    return engine::from_exception();
  }
}

}  // namespace mycelial
