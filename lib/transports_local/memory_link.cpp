// SPDX-License-Identifier: Apache-2.0
#include "transports_local/memory_link.hpp"

#include <algorithm>
#include <utility>

namespace mycelial::local {
namespace {

class MemoryLink final : public Link {
 public:
  MemoryLink(std::shared_ptr<Pair> pair, int side) : pair_(std::move(pair)), side_(side) {}
  MemoryLink(const MemoryLink&) = delete;
  MemoryLink& operator=(const MemoryLink&) = delete;
  ~MemoryLink() override { close(); }

  LinkCaps caps() const noexcept override {
    LinkCaps caps;
    caps.message_bytes_max = kMemoryMessageMax;
    caps.delay_ms = 0;
    return caps;
  }
  SendOutcome send(std::string_view message) override { return pair_->send(side_, message); }
  void consumed(std::size_t bytes) noexcept override {
    try {
      pair_->consumed(side_, bytes);
    } catch (...) {  // Out of memory for a task: the next call tries again.
    }
  }
  void close() noexcept override {
    try {
      pair_->close(side_, Status(Errc::closed, "closed by this side"),
                   Status(Errc::closed, "closed by the remote " + pair_->remote(1 - side_)));
    } catch (...) {  // Out of memory: stop() closes it.
    }
  }
  std::string remote() const override { return pair_->remote(side_); }

 private:
  const std::shared_ptr<Pair> pair_;
  const int side_;
};

}  // namespace

Pair::Pair(std::shared_ptr<Strand> a, std::string a_name, std::shared_ptr<Strand> b,
           std::string b_name) {
  ends_[0].strand = std::move(a);
  ends_[0].name = std::move(a_name);
  ends_[1].strand = std::move(b);
  ends_[1].name = std::move(b_name);
}

std::shared_ptr<Link> Pair::make_link(int side) {
  return std::make_shared<MemoryLink>(shared_from_this(), side);
}

void Pair::attach(int side, LinkHandler* handler, OnEnd on_end) {
  {
    const std::lock_guard lock(mutex_);
    End& end = ends_[side];
    end.handler = handler;
    end.on_end = std::move(on_end);
    schedule(side);
  }
  if (handler == nullptr) {
    close(side, Status(Errc::closed, "refused by this side"),
          Status(Errc::closed, "refused by the remote " + remote(1 - side)));
  }
}

// Before attach there is nobody to tell; attach schedules what has gathered until then.
void Pair::schedule(int side) {
  End& end = ends_[side];
  if (end.scheduled || !end.on_end) return;
  end.scheduled = end.strand->post([self = shared_from_this(), side] { self->serve(side); });
}

SendOutcome Pair::send(int side, std::string_view message) {
  std::unique_lock lock(mutex_);
  End& self = ends_[side];
  End& other = ends_[1 - side];
  if (self.closing) return SendOutcome::closed;
  if (message.empty() || message.size() > kMemoryMessageMax) {
    lock.unlock();
    close(side,
          Status(Errc::invalid_argument, "a message of " + std::to_string(message.size()) +
                                             " bytes was given to send(); 1 to " +
                                             std::to_string(kMemoryMessageMax) + " are allowed"),
          Status(Errc::closed, "closed by the remote " + self.name));
    return SendOutcome::closed;
  }
  if (!other.inbox.empty() && other.inbox_bytes + message.size() > kMemoryQueueMax) {
    self.wants_writable = true;
    return SendOutcome::would_block;
  }
  other.inbox.emplace_back(message);
  other.inbox_bytes += message.size();
  schedule(1 - side);
  return SendOutcome::accepted;
}

void Pair::consumed(int side, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  End& end = ends_[side];
  const bool full = end.outstanding > kMemoryCreditMax;
  end.outstanding -= std::min(bytes, end.outstanding);
  if (full && end.outstanding <= kMemoryCreditMax && !end.inbox.empty()) schedule(side);
}

void Pair::close(int side, Status mine, Status theirs) {
  const std::lock_guard lock(mutex_);
  if (ends_[side].closing) return;
  ends_[side].closing = true;
  ends_[side].reason = std::move(mine);
  ends_[side].inbox.clear();
  schedule(side);
  End& other = ends_[1 - side];
  if (other.closing) return;
  other.closing = true;
  other.reason = std::move(theirs);
  schedule(1 - side);
}

void Pair::finish_now(int side, const Status& reason) {
  close(side, reason, Status(Errc::closed, "the remote " + remote(1 - side) + " stopped"));
  std::unique_lock lock(mutex_);
  ends_[side].inbox.clear();
  tell_closed(side, lock);
}

/// Hands over the first message, without the lock. False: nothing to hand over now.
bool Pair::deliver_one(int side, std::unique_lock<std::mutex>& lock) {
  End& end = ends_[side];
  if (end.inbox.empty() || end.handler == nullptr) return false;
  if (end.outstanding > kMemoryCreditMax) return false;
  const std::string message = std::move(end.inbox.front());
  end.inbox.pop_front();
  end.inbox_bytes -= message.size();
  end.outstanding += message.size();
  End& other = ends_[1 - side];
  if (other.wants_writable && end.inbox_bytes <= kMemoryQueueMax / 2) {
    other.wants_writable = false;
    other.writable_due = true;
    schedule(1 - side);
  }
  lock.unlock();
  end.handler->on_message(message);
  lock.lock();
  return true;
}

void Pair::tell_closed(int side, std::unique_lock<std::mutex>& lock) {
  End& end = ends_[side];
  if (!end.on_end) return;
  LinkHandler* const handler = std::exchange(end.handler, nullptr);
  const OnEnd on_end = std::exchange(end.on_end, nullptr);
  const Status reason = end.reason;
  lock.unlock();
  if (handler != nullptr) handler->on_closed(reason);
  on_end(reason);
  lock.lock();
}

// One message a turn, so that links of one strand share it.
void Pair::serve(int side) {
  std::unique_lock lock(mutex_);
  End& end = ends_[side];
  end.scheduled = false;
  if (!end.on_end) return;
  if (end.writable_due && !end.closing && end.handler != nullptr) {
    end.writable_due = false;
    lock.unlock();
    end.handler->on_writable();
    lock.lock();
  }
  const bool delivered = deliver_one(side, lock);
  if (delivered && !end.inbox.empty()) schedule(side);
  if (!end.closing) return;
  // What arrived before the remote closed is still handed over, as far as credit goes.
  if (delivered && !end.inbox.empty()) return;
  tell_closed(side, lock);
}

}  // namespace mycelial::local
