// SPDX-License-Identifier: Apache-2.0
// Where exceptions become codes, and how sized structs are read and filled.
#pragma once

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "mycelial.h"
#include "mycelial/status.hpp"

namespace mycelial::capi {

inline mycelial_code report(mycelial_error* error, Errc code, std::string_view message,
                            bool retryable) noexcept {
  if (error != nullptr) {
    error->code = static_cast<mycelial_code>(code);
    error->retryable = retryable ? 1 : 0;
    std::size_t size = std::min(message.size(), sizeof error->message - 1);
    // Never half a character of UTF-8.
    while (size > 0 && size < message.size() && (message[size] & 0xc0) == 0x80) --size;
    std::memcpy(error->message, message.data(), size);
    error->message[size] = '\0';
  }
  return static_cast<mycelial_code>(code);
}

inline mycelial_code report(mycelial_error* error, const Status& status) noexcept {
  if (status.ok()) return MYCELIAL_OK;
  return report(error, status.code(), status.message(), status.retryable());
}

/// Runs the body of an entry point that gives a Status.
template <class F>
mycelial_code guard(mycelial_error* error, F&& body) noexcept {
  try {
    const Status status = body();
    return report(error, status);
  } catch (const std::bad_alloc&) {
    return report(error, Errc::out_of_memory, "out of memory", false);
  } catch (const std::exception& e) {
    return report(error, Errc::internal, e.what(), false);
  } catch (...) {
    return report(error, Errc::internal, "an exception of unknown type", false);
  }
}

/// Runs a body that cannot report.
template <class F>
void guard_silent(F&& body) noexcept {
  try {
    body();
  } catch (...) {  // Out of memory, and no way to say so.
  }
}

inline Status null_argument(const char* name) {
  return Status(Errc::invalid_argument, std::string(name) + " is NULL");
}

/// Copies a caller's struct over the defaults in `out`. A longer one, from a newer program, is fine
/// as long as it asks for nothing that is unknown here.
template <class T>
Status read_sized(const T* in, T& out, const char* name) {
  if (in == nullptr) return {};
  const std::size_t size = in->struct_size;
  if (size < sizeof in->struct_size || size > 4096) {
    return Status(Errc::invalid_argument,
                  std::string(name) + " was not initialised (struct_size is wrong)");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(in);
  for (std::size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      return Status(Errc::unsupported,
                    std::string(name) + " asks for something that this library does not know");
    }
  }
  std::memcpy(&out, in, std::min(size, sizeof(T)));
  out.struct_size = sizeof(T);
  return {};
}

/// Fills as much of the caller's struct as the caller knows.
template <class T>
mycelial_code fill_sized(T* out, T from) noexcept {
  if (out == nullptr || out->struct_size < sizeof out->struct_size) {
    return MYCELIAL_INVALID_ARGUMENT;
  }
  const std::uint32_t size = std::min<std::uint32_t>(out->struct_size, sizeof(T));
  from.struct_size = out->struct_size;
  std::memcpy(out, &from, size);
  return MYCELIAL_OK;
}

template <class T>
void init_sized(T* out, std::uint32_t struct_size, T defaults) noexcept {
  if (out == nullptr || struct_size < sizeof out->struct_size) return;
  std::memset(out, 0, struct_size);
  (void)fill_sized(out, (out->struct_size = struct_size, defaults));
}

/// The context of a callback; destroyed exactly once, with the last user.
class Context {
 public:
  Context(void* context, void (*destroy)(void*)) noexcept : context_(context), destroy_(destroy) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    if (destroy_ != nullptr) destroy_(context_);
  }
  void* get() const noexcept { return context_; }

 private:
  void* context_;
  void (*destroy_)(void*);
};

/// Takes over a context at once, so that destroy runs whatever happens next: also when there is no
/// memory to share it.
std::shared_ptr<Context> own_context(void* context, void (*destroy)(void*));

}  // namespace mycelial::capi
