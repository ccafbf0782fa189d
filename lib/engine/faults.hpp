// SPDX-License-Identifier: Apache-2.0
// Faults: what failed and is not mended yet, and what a person should know. Feeds status().
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/log.hpp"
#include "mycelial/status.hpp"

namespace mycelial::engine {

class Faults {
 public:
  explicit Faults(Log& log) : log_(log) {}
  /// The outcome of one kind of work; success forgets its last failure. Errc::internal poisons.
  void outcome(const std::string& work, const Status& status);
  void poison(const std::string& why);
  bool poisoned() const { return !poison_.empty(); }
  const std::string& poison_reason() const { return poison_; }

  void note(const std::string& text);  ///< The newest few are kept, each once.
  const std::vector<std::string>& notes() const { return notes_; }
  std::string last_error() const;  ///< Empty when all is well.

 private:
  Log& log_;
  std::map<std::string, std::string> failing_;  // by kind of work
  std::string newest_;                          // which of them failed last
  std::string poison_;
  std::vector<std::string> notes_;
};

}  // namespace mycelial::engine
