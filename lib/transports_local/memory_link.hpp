// SPDX-License-Identifier: Apache-2.0
// A pair of memory links: two ends, each with an inbox that the other fills and a strand that
// empties it.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "mycelial/transport.hpp"
#include "transports_local/strand.hpp"

namespace mycelial::local {

constexpr std::size_t kMemoryMessageMax = 256 * 1024;
constexpr std::size_t kMemoryQueueMax = 512 * 1024;    // queued at the receiver, per direction
constexpr std::size_t kMemoryCreditMax = 1024 * 1024;  // delivered and not yet consumed

class Pair : public std::enable_shared_from_this<Pair> {
 public:
  /// `on_end(reason)` runs on the end's strand right after on_closed.
  using OnEnd = std::function<void(const Status&)>;

  Pair(std::shared_ptr<Strand> a, std::string a_name, std::shared_ptr<Strand> b,
       std::string b_name);

  /// The rest of this end's life, on its strand. A null handler closes the pair.
  void attach(int side, LinkHandler* handler, OnEnd on_end);
  std::shared_ptr<Link> make_link(int side);

  SendOutcome send(int side, std::string_view message);
  void consumed(int side, std::size_t bytes);
  /// Closes both ends; each hears its own reason on its own strand.
  void close(int side, Status mine, Status theirs);
  /// Closes, and tells this end at once. On its strand.
  void finish_now(int side, const Status& reason);
  const std::string& remote(int side) const { return ends_[1 - side].name; }

 private:
  struct End {
    std::shared_ptr<Strand> strand;
    std::string name;
    LinkHandler* handler = nullptr;  // from attach until on_closed
    OnEnd on_end;
    std::deque<std::string> inbox;
    std::size_t inbox_bytes = 0;
    std::size_t outstanding = 0;
    bool scheduled = false;       // a task for this end is on its strand
    bool wants_writable = false;  // the other end's inbox was full
    bool writable_due = false;
    bool closing = false;
    Status reason;
  };

  void schedule(int side);  // mutex held
  void serve(int side);
  bool deliver_one(int side, std::unique_lock<std::mutex>& lock);
  void tell_closed(int side, std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::array<End, 2> ends_;
};

}  // namespace mycelial::local
