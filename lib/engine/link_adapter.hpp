// SPDX-License-Identifier: Apache-2.0
// From a transport's threads to the strand: an acceptor and a handler that only copy and post.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "core/exchange.hpp"
#include "engine/strand.hpp"
#include "mycelial/transport.hpp"

namespace mycelial::engine {

/// Where a link came from. 0: listen() and connect(); others name a sync().
using DialTag = std::uint64_t;

struct NewLink {
  core::LinkNumber number = 0;
  std::shared_ptr<Link> link;
  bool dialed = false;
  std::string endpoint;
  DialTag tag = 0;
};

/// Receives on the strand what happened on links.
class LinkSink {
 public:
  virtual ~LinkSink() = default;
  virtual void link_up(NewLink link) = 0;
  virtual void link_message(core::LinkNumber number, std::string_view message) = 0;
  virtual void link_writable(core::LinkNumber number) = 0;
  virtual void link_closed(core::LinkNumber number, const Status& reason) = 0;
  virtual void dial_failed(const std::string& endpoint, DialTag tag, const Status& reason) = 0;
};

/// Must outlive the transports that use it.
class Acceptor final : public LinkAcceptor {
 public:
  Acceptor(std::weak_ptr<LinkSink> sink, std::shared_ptr<Strand> strand,
           std::shared_ptr<std::atomic<core::LinkNumber>> numbers, DialTag tag)
      : sink_(std::move(sink)),
        strand_(std::move(strand)),
        numbers_(std::move(numbers)),
        tag_(tag) {}

  LinkHandler* on_link(std::shared_ptr<Link> link, bool dialed,
                       const std::string& endpoint) override;
  void on_dial_failed(const std::string& endpoint, Status reason) override;

 private:
  const std::weak_ptr<LinkSink> sink_;
  const std::shared_ptr<Strand> strand_;
  const std::shared_ptr<std::atomic<core::LinkNumber>> numbers_;
  const DialTag tag_;
};

}  // namespace mycelial::engine
