// SPDX-License-Identifier: Apache-2.0
// A network that the host brings: C functions in, Transport and Link out.
#include "mycelial/transport.hpp"

#include <map>
#include <mutex>

#include "handles.hpp"

using namespace mycelial;
using namespace mycelial::capi;

/// Wraps an acceptor of the engine's; one per acceptor and transport.
struct mycelial_acceptor {
  LinkAcceptor* to = nullptr;
};

struct mycelial_link {
  LinkHandler* handler = nullptr;
};

namespace {

constexpr std::size_t kEndpointBytesMax = 1024;

mycelial_link_caps default_caps() noexcept {
  const LinkCaps from;
  mycelial_link_caps out{};
  out.struct_size = sizeof out;
  out.delay_ms = from.delay_ms;
  out.message_bytes_max = from.message_bytes_max;
  out.bytes_per_second = from.bytes_per_second;
  return out;
}

Status status_from(mycelial_code code, const char* message) {
  if (code == MYCELIAL_OK) return {};
  const bool known = code > 0 && code <= MYCELIAL_INTERNAL;
  return Status(known ? static_cast<Errc>(code) : Errc::io, message == nullptr ? "" : message);
}

class HostLink final : public Link {
 public:
  HostLink(const mycelial_link_ops& ops, std::shared_ptr<Context> context, const LinkCaps& caps,
           std::string remote)
      : ops_(ops), context_(std::move(context)), caps_(caps), remote_(std::move(remote)) {}

  LinkCaps caps() const noexcept override { return caps_; }
  SendOutcome send(std::string_view message) override {
    switch (ops_.send(context_->get(), message.data(), message.size())) {
      case MYCELIAL_SEND_ACCEPTED:
        return SendOutcome::accepted;
      case MYCELIAL_SEND_WOULD_BLOCK:
        return SendOutcome::would_block;
      default:
        return SendOutcome::closed;
    }
  }
  void consumed(std::size_t bytes) noexcept override {
    if (ops_.consumed != nullptr) ops_.consumed(context_->get(), bytes);
  }
  void close() noexcept override { ops_.close(context_->get()); }
  std::string remote() const override { return remote_; }

 private:
  const mycelial_link_ops ops_;
  const std::shared_ptr<Context> context_;
  const LinkCaps caps_;
  const std::string remote_;
};

class HostTransport final : public Transport {
 public:
  HostTransport(const mycelial_transport_ops& ops, std::shared_ptr<Context> context)
      : ops_(ops), scheme_(ops.scheme), context_(std::move(context)) {}
  ~HostTransport() override { HostTransport::stop(); }
  HostTransport(const HostTransport&) = delete;
  HostTransport& operator=(const HostTransport&) = delete;

  std::string scheme() const override { return scheme_; }

  Result<std::string> listen(const std::string& endpoint, LinkAcceptor& acceptor) override {
    char bound[kEndpointBytesMax] = "";
    mycelial_error error{};
    const auto code =
        ops_.listen(context_->get(), endpoint.c_str(), wrap(acceptor), bound, sizeof bound, &error);
    bound[sizeof bound - 1] = error.message[sizeof error.message - 1] = '\0';
    if (code != MYCELIAL_OK) return status_from(code, error.message);
    return *bound == '\0' ? endpoint : std::string(bound);
  }

  Status dial(const std::string& endpoint, LinkAcceptor& acceptor) override {
    mycelial_error error{};
    const auto code = ops_.dial(context_->get(), endpoint.c_str(), wrap(acceptor), &error);
    error.message[sizeof error.message - 1] = '\0';
    return status_from(code, error.message);
  }

  void stop() noexcept override { ops_.stop(context_->get()); }

 private:
  mycelial_acceptor* wrap(LinkAcceptor& acceptor) {
    const std::lock_guard lock(mutex_);
    auto& slot = acceptors_[&acceptor];
    if (!slot) slot = std::make_unique<mycelial_acceptor>(mycelial_acceptor{&acceptor});
    return slot.get();
  }

  const mycelial_transport_ops ops_;
  const std::string scheme_;
  const std::shared_ptr<Context> context_;
  std::mutex mutex_;
  std::map<LinkAcceptor*, std::unique_ptr<mycelial_acceptor>> acceptors_;
};

}  // namespace

extern "C" {

void mycelial_link_caps_init(mycelial_link_caps* caps, uint32_t struct_size) noexcept {
  init_sized(caps, struct_size, default_caps());
}

mycelial_code mycelial_add_transport(mycelial_replica* replica, const mycelial_transport_ops* ops,
                                     void* context, mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (ops == nullptr) return null_argument("ops");
    mycelial_transport_ops known{};
    if (Status status = read_sized(ops, known, "ops"); !status.ok()) return status;
    const auto owned = own_context(context, known.destroy);
    if (replica == nullptr) return null_argument("replica");
    if (known.scheme == nullptr || known.listen == nullptr || known.dial == nullptr ||
        known.stop == nullptr) {
      return Status(Errc::invalid_argument, "scheme, listen, dial and stop are required");
    }
    return replica->replica->add_transport(std::make_unique<HostTransport>(known, owned));
  });
}

mycelial_code mycelial_acceptor_link(mycelial_acceptor* acceptor, const mycelial_link_ops* ops,
                                     void* context, const mycelial_link_caps* caps,
                                     const char* remote, int dialed, const char* endpoint,
                                     mycelial_link** out, mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (ops == nullptr) return null_argument("ops");
    mycelial_link_ops known{};
    if (Status status = read_sized(ops, known, "ops"); !status.ok()) return status;
    const auto owned = own_context(context, known.destroy);
    if (acceptor == nullptr) return null_argument("acceptor");
    if (out == nullptr) return null_argument("out");
    if (known.send == nullptr || known.close == nullptr) {
      return Status(Errc::invalid_argument, "send and close are required");
    }
    mycelial_link_caps facts = default_caps();
    if (Status status = read_sized(caps, facts, "caps"); !status.ok()) return status;
    if (facts.message_bytes_max < kMessageBytesMin) {
      return Status(Errc::invalid_argument,
                    "message_bytes_max is less than " + std::to_string(kMessageBytesMin));
    }
    LinkCaps to;
    to.message_bytes_max = facts.message_bytes_max;
    to.bytes_per_second = facts.bytes_per_second;
    to.delay_ms = facts.delay_ms;
    to.group = facts.group != 0;
    auto handle = std::make_unique<mycelial_link>();
    auto link = std::make_shared<HostLink>(known, owned, to, remote == nullptr ? "" : remote);
    // Before on_link: calls on the link may come from its inside.
    mycelial_link* const given = *out = handle.get();
    given->handler =
        acceptor->to->on_link(std::move(link), dialed != 0, endpoint == nullptr ? "" : endpoint);
    if (given->handler == nullptr) {
      *out = nullptr;
      return Status(Errc::closed, "the link is not wanted");
    }
    (void)handle.release();
    return {};
  });
}

void mycelial_acceptor_dial_failed(mycelial_acceptor* acceptor, const char* endpoint,
                                   mycelial_code code, const char* message) noexcept {
  if (acceptor == nullptr || endpoint == nullptr) return;
  guard_silent([&] {
    const mycelial_code failure = code == MYCELIAL_OK ? MYCELIAL_IO : code;
    acceptor->to->on_dial_failed(endpoint, status_from(failure, message));
  });
}

void mycelial_link_message(mycelial_link* link, const void* message, size_t size) noexcept {
  if (link == nullptr || message == nullptr) return;
  guard_silent([&] {
    link->handler->on_message(std::string_view(static_cast<const char*>(message), size));
  });
}

void mycelial_link_writable(mycelial_link* link) noexcept {
  if (link == nullptr) return;
  guard_silent([&] { link->handler->on_writable(); });
}

void mycelial_link_closed(mycelial_link* link, mycelial_code code, const char* message) noexcept {
  if (link == nullptr) return;
  guard_silent([&] {
    const mycelial_code reason = code == MYCELIAL_OK ? MYCELIAL_CLOSED : code;
    link->handler->on_closed(status_from(reason, message));
  });
  delete link;
}

}  // extern "C"
