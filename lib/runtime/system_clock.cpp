// SPDX-License-Identifier: Apache-2.0
#include <chrono>

#include "runtime/runtime.hpp"

namespace mycelial::runtime {
namespace {

template <class C>
std::uint64_t now_ms() noexcept {
  using std::chrono::milliseconds;
  const auto count = std::chrono::duration_cast<milliseconds>(C::now().time_since_epoch()).count();
  return count > 0 ? static_cast<std::uint64_t>(count) : 0;
}

class SystemClock final : public Clock {
 public:
  std::uint64_t monotonic_ms() noexcept override { return now_ms<std::chrono::steady_clock>(); }
  std::uint64_t wall_ms() noexcept override { return now_ms<std::chrono::system_clock>(); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock* const clock = new SystemClock;
  return *clock;
}

}  // namespace mycelial::runtime
