// SPDX-License-Identifier: Apache-2.0
// Status and Result<T>: how every public function reports failure. Nothing here throws.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "mycelial/export.hpp"

namespace mycelial {

/// What the program should do about a failure. Numbers are stable and equal those of the C ABI.
enum class Errc : std::int32_t {
  ok = 0,
  invalid_argument = 1,  ///< The call is wrong; fix the program or the command line.
  not_found = 2,         ///< The file, table, column or peer named does not exist.
  busy = 3,              ///< Somebody else holds it; the same call may succeed later.
  corrupt = 4,           ///< Bytes that are not what they should be.
  io = 5,                ///< The disk, file system or network failed; see the message.
  schema = 6,            ///< The table cannot be tracked or differs too much; see the message.
  unsupported = 7,       ///< Known, but not offered by this build.
  version = 8,           ///< Written by a newer major version of mycelial.
  closed = 9,            ///< The object was closed.
  canceled = 10,         ///< Given up on request, or at a deadline.
  out_of_memory = 11,
  internal = 12,  ///< A bug in mycelial; the replica is poisoned and stops syncing.
};

/// The name of a code, such as "not_found". The text is static.
MYCELIAL_API std::string_view errc_name(Errc code) noexcept;

/// Success, or a code and a message that names the thing and the remedy.
/// One pointer wide; success allocates nothing. Threads: as a value type.
class [[nodiscard]] MYCELIAL_API Status {
 public:
  Status() noexcept = default;
  Status(Errc code, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  bool ok() const noexcept { return !state_; }
  explicit operator bool() const noexcept { return ok(); }
  Errc code() const noexcept { return state_ ? state_->code : Errc::ok; }
  /// True when trying the same call again later can help (busy, io, canceled).
  bool retryable() const noexcept;
  /// Empty when ok. Lives as long as this Status.
  std::string_view message() const noexcept;
  /// "not_found: no such table: t"
  std::string to_string() const;

 private:
  struct State {
    Errc code;
    std::string message;
  };
  std::unique_ptr<State> state_;
};

/// A T, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!status_.ok());
  }
  Result(Errc code, std::string message) : status_(code, std::move(message)) {}

  bool ok() const noexcept { return status_.ok(); }
  explicit operator bool() const noexcept { return ok(); }
  const Status& status() const noexcept { return status_; }
  /// Precondition of all below: ok().
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace mycelial
