// SPDX-License-Identifier: Apache-2.0
#include "engine/link_adapter.hpp"

#include <utility>

namespace mycelial::engine {
namespace {

/// Keeps itself alive until on_closed has returned.
class Handler final : public LinkHandler {
 public:
  Handler(core::LinkNumber number, std::weak_ptr<LinkSink> sink, std::shared_ptr<Strand> strand)
      : number_(number), sink_(std::move(sink)), strand_(std::move(strand)) {}

  void keep(std::shared_ptr<Handler> self) { self_ = std::move(self); }

  // Not bounded here: the link stops reading until consumed() gives back what was posted.
  void on_message(std::string_view message) override {
    strand_->post([sink = sink_, number = number_, bytes = std::string(message)] {
      if (const auto to = sink.lock()) to->link_message(number, bytes);
    });
  }
  void on_writable() override {
    strand_->post([sink = sink_, number = number_] {
      if (const auto to = sink.lock()) to->link_writable(number);
    });
  }
  void on_closed(Status reason) override {
    const std::shared_ptr<Handler> self = std::move(self_);
    strand_->post([sink = sink_, number = number_, reason = std::move(reason)] {
      if (const auto to = sink.lock()) to->link_closed(number, reason);
    });
  }

 private:
  const core::LinkNumber number_;
  const std::weak_ptr<LinkSink> sink_;
  const std::shared_ptr<Strand> strand_;
  std::shared_ptr<Handler> self_;
};

}  // namespace

LinkHandler* Acceptor::on_link(std::shared_ptr<Link> link, bool dialed,
                               const std::string& endpoint) {
  if (sink_.expired() || !link) return nullptr;
  NewLink fresh{++*numbers_, std::move(link), dialed, endpoint, tag_};
  const auto handler = std::make_shared<Handler>(fresh.number, sink_, strand_);
  handler->keep(handler);
  strand_->post([sink = sink_, fresh = std::move(fresh)] {
    if (const auto to = sink.lock()) to->link_up(fresh);
  });
  return handler.get();
}

void Acceptor::on_dial_failed(const std::string& endpoint, Status reason) {
  strand_->post([sink = sink_, endpoint, tag = tag_, reason = std::move(reason)] {
    if (const auto to = sink.lock()) to->dial_failed(endpoint, tag, reason);
  });
}

}  // namespace mycelial::engine
