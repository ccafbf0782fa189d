// SPDX-License-Identifier: Apache-2.0
#include "mycelial/status.hpp"

namespace mycelial {

std::string_view errc_name(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return "ok";
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::busy:
      return "busy";
    case Errc::corrupt:
      return "corrupt";
    case Errc::io:
      return "io";
    case Errc::schema:
      return "schema";
    case Errc::unsupported:
      return "unsupported";
    case Errc::version:
      return "version";
    case Errc::closed:
      return "closed";
    case Errc::canceled:
      return "canceled";
    case Errc::out_of_memory:
      return "out_of_memory";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

Status::Status(Errc code, std::string message)
    : state_(code == Errc::ok ? nullptr : new State{code, std::move(message)}) {}

Status::Status(const Status& other) : state_(other.state_ ? new State(*other.state_) : nullptr) {}

Status& Status::operator=(const Status& other) {
  if (this != &other) state_.reset(other.state_ ? new State(*other.state_) : nullptr);
  return *this;
}

bool Status::retryable() const noexcept {
  const Errc c = code();
  return c == Errc::busy || c == Errc::io || c == Errc::canceled;
}

std::string_view Status::message() const noexcept {
  return state_ ? std::string_view(state_->message) : std::string_view();
}

std::string Status::to_string() const {
  if (ok()) return "ok";
  return std::string(errc_name(code())) + ": " + state_->message;
}

}  // namespace mycelial
