// SPDX-License-Identifier: Apache-2.0
// What every fuzz target shares: its entry point, its assertion, and small choices from bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace mycelial::fuzz {

/// Ends the process, so that the fuzzer keeps the input.
inline void expect(bool holds, std::string_view what, std::string_view detail = "") {
  if (holds) return;
  const std::string text = "expected " + std::string(what) + ": " + std::string(detail) + "\n";
  std::fputs(text.c_str(), stderr);
  std::abort();
}

/// Reads choices from the input; zeros after its end.
class Feed {
 public:
  explicit Feed(std::string_view in) : in_(in) {}
  bool empty() const { return in_.empty(); }
  std::uint8_t byte() {
    if (in_.empty()) return 0;
    const auto out = static_cast<std::uint8_t>(in_.front());
    in_.remove_prefix(1);
    return out;
  }
  std::uint8_t below(std::uint8_t n) { return static_cast<std::uint8_t>(byte() % n); }
  std::string_view bytes(std::size_t n) {
    const auto out = in_.substr(0, n);
    in_.remove_prefix(out.size());
    return out;
  }
  std::string_view rest() { return bytes(in_.size()); }

 private:
  std::string_view in_;
};

/// The first byte of an input chooses which of these gets the rest.
inline void choose(const std::uint8_t* data, std::size_t size,
                   std::initializer_list<void (*)(std::string_view)> readers) {
  Feed feed({reinterpret_cast<const char*>(data), size});
  const auto chosen = feed.below(static_cast<std::uint8_t>(readers.size()));
  readers.begin()[chosen](feed.rest());
}

}  // namespace mycelial::fuzz
