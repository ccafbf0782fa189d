// SPDX-License-Identifier: Apache-2.0
// LinkProbe: an acceptor and handlers that write down what a transport does, and notice when it
// breaks the rules of LinkHandler. For tests of transports; header only. Unstable until 1.0.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mycelial/transport.hpp"

namespace mycelial::testing {

/// Threads: any. Outlives the transports that it is given to.
class LinkProbe final : public LinkAcceptor {
 public:
  struct Record {
    std::shared_ptr<Link> link;
    bool dialed = false;
    std::string endpoint;
    std::vector<std::string> messages;
    std::size_t bytes = 0;        ///< Received.
    std::size_t outstanding = 0;  ///< Received and not given back.
    int writable = 0;
    int closed = 0;
    Status reason;
  };

  /// Called without a lock from on_message; `index` is that of the link.
  using OnMessage = std::function<void(std::size_t index, std::string_view message)>;

  explicit LinkProbe(bool consume = true) : consume_(consume) {}

  LinkHandler* on_link(std::shared_ptr<Link> link, bool dialed,
                       const std::string& endpoint) override {
    const std::lock_guard lock(mutex_);
    if (silent_) note("on_link was called after stop() had returned");
    handlers_.push_back(std::make_unique<Handler>(*this, records_.size()));
    records_.emplace_back();
    records_.back().link = std::move(link);
    records_.back().dialed = dialed;
    records_.back().endpoint = endpoint;
    changed_.notify_all();
    return handlers_.back().get();
  }
  void on_dial_failed(const std::string& endpoint, Status reason) override {
    const std::lock_guard lock(mutex_);
    if (silent_) note("on_dial_failed was called after stop() had returned");
    if (reason.ok() || reason.message().empty()) note("on_dial_failed came without a reason");
    dial_failures_.emplace_back(endpoint, std::move(reason));
    changed_.notify_all();
  }

  /// Waits until `predicate`, which runs under the lock, is true. False: it never was.
  template <class Predicate>
  bool wait(std::chrono::milliseconds patience, Predicate predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, predicate);
  }
  /// The `index`th link to come up within `patience`, or null.
  std::shared_ptr<Link> wait_link(std::chrono::milliseconds patience, std::size_t index = 0) {
    if (!wait(patience, [&] { return records_.size() > index; })) return nullptr;
    const std::lock_guard lock(mutex_);
    return records_[index].link;
  }
  bool wait_closed(std::chrono::milliseconds patience, std::size_t index = 0) {
    return wait(patience, [&] { return records_.size() > index && records_[index].closed > 0; });
  }
  bool wait_messages(std::chrono::milliseconds patience, std::size_t count, std::size_t index = 0) {
    return wait(patience, [&] {
      return records_.size() > index && records_[index].messages.size() >= count;
    });
  }

  /// Inside a predicate of wait() only.
  const std::vector<Record>& records() const { return records_; }
  const std::vector<std::pair<std::string, Status>>& dial_failures() const {
    return dial_failures_;
  }
  const std::vector<std::string>& violations() const { return violations_; }

  Record record(std::size_t index = 0) {
    const std::lock_guard lock(mutex_);
    return index < records_.size() ? records_[index] : Record();
  }
  std::size_t link_count() {
    const std::lock_guard lock(mutex_);
    return records_.size();
  }
  std::vector<std::string> take_violations() {
    const std::lock_guard lock(mutex_);
    return std::exchange(violations_, {});
  }

  /// From now on a call from a transport is a violation.
  void expect_silence() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }
  void set_on_message(OnMessage on_message) {
    const std::lock_guard lock(mutex_);
    on_message_ = std::move(on_message);
  }
  /// Whether received bytes are given back at once; those held so far are given back, too.
  void consume_from_now_on() {
    std::vector<std::pair<std::shared_ptr<Link>, std::size_t>> due;
    {
      const std::lock_guard lock(mutex_);
      consume_ = true;
      for (Record& record : records_) {
        due.emplace_back(record.link, std::exchange(record.outstanding, 0));
      }
    }
    for (const auto& [link, bytes] : due) link->consumed(bytes);
  }

 private:
  class Handler final : public LinkHandler {
   public:
    Handler(LinkProbe& probe, std::size_t index) : probe_(probe), index_(index) {}
    void on_message(std::string_view message) override {
      const Visit visit(*this, "on_message");
      std::shared_ptr<Link> link;
      OnMessage then;
      {
        const std::lock_guard lock(probe_.mutex_);
        Record& record = probe_.records_[index_];
        record.messages.emplace_back(message);
        record.bytes += message.size();
        if (probe_.consume_) {
          link = record.link;
        } else {
          record.outstanding += message.size();
        }
        then = probe_.on_message_;
        probe_.changed_.notify_all();
      }
      if (link) link->consumed(message.size());
      if (then) then(index_, message);
    }
    void on_writable() override {
      const Visit visit(*this, "on_writable");
      const std::lock_guard lock(probe_.mutex_);
      ++probe_.records_[index_].writable;
      probe_.changed_.notify_all();
    }
    void on_closed(Status reason) override {
      const Visit visit(*this, "on_closed");
      const std::lock_guard lock(probe_.mutex_);
      Record& record = probe_.records_[index_];
      ++record.closed;
      if (reason.message().empty()) probe_.note("on_closed came without a reason");
      record.reason = std::move(reason);
      probe_.changed_.notify_all();
    }

   private:
    /// One call of the handler, checked for what no call may do.
    struct Visit {
      Visit(Handler& h, const std::string& what) : handler(h) {
        const bool overlaps = handler.busy_.exchange(true);
        const std::lock_guard lock(handler.probe_.mutex_);
        LinkProbe& probe = handler.probe_;
        if (overlaps) probe.note(what + " overlapped another call for the same link");
        if (probe.silent_) probe.note(what + " was called after stop() had returned");
        if (probe.records_[handler.index_].closed > 0) probe.note(what + " followed on_closed");
      }
      Visit(const Visit&) = delete;
      Visit& operator=(const Visit&) = delete;
      ~Visit() { handler.busy_ = false; }
      Handler& handler;
    };

    LinkProbe& probe_;
    const std::size_t index_;
    std::atomic<bool> busy_{false};
  };

  void note(std::string what) {
    if (violations_.size() < 100) violations_.push_back(std::move(what));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool consume_;
  bool silent_ = false;
  OnMessage on_message_;
  std::vector<Record> records_;
  std::vector<std::unique_ptr<Handler>> handlers_;
  std::vector<std::pair<std::string, Status>> dial_failures_;
  std::vector<std::string> violations_;
};

}  // namespace mycelial::testing
