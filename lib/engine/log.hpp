// SPDX-License-Identifier: Apache-2.0
// Log: what happens, in words, for whoever runs us. A state is told once, when it changes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

namespace mycelial::engine {

class Log {
 public:
  using Sink = std::function<void(const std::string&)>;
  explicit Log(Sink sink) : sink_(std::move(sink)) {}

  void say(const std::string& text) noexcept {
    try {
      if (sink_) sink_(text);
    } catch (...) {  // The host's own business.
    }
  }
  /// "`about` `state`", unless that is what was said of it last.
  void state(const std::string& about, const std::string& state) {
    if (!sink_) return;
    std::string& said = said_[about];
    if (said == state) return;
    said = state;
    say(about + " " + state);
  }

 private:
  const Sink sink_;
  std::map<std::string, std::string> said_;
};

}  // namespace mycelial::engine
