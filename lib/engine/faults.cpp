// SPDX-License-Identifier: Apache-2.0
#include "engine/faults.hpp"

#include <algorithm>

namespace mycelial::engine {
namespace {
constexpr std::size_t kNotesMax = 20;
}  // namespace

void Faults::outcome(const std::string& work, const Status& status) {
  if (status.ok()) {
    if (failing_.erase(work) != 0) log_.state(work, "goes on");
    return;
  }
  log_.state(work, "failed: " + status.to_string());
  failing_[work] = work + ": " + status.to_string();
  newest_ = work;
  if (status.code() == Errc::internal) poison(failing_[work]);
}

void Faults::poison(const std::string& why) {
  if (poison_.empty()) poison_ = why;
  log_.state("syncing", "has stopped after an internal error; " + poison_);
}

void Faults::note(const std::string& text) {
  const auto same = std::find(notes_.begin(), notes_.end(), text);
  if (same != notes_.end()) {
    notes_.erase(same);
  } else {
    log_.say(text);
  }
  notes_.push_back(text);
  if (notes_.size() > kNotesMax) notes_.erase(notes_.begin());
}

std::string Faults::last_error() const {
  if (poisoned()) return "syncing has stopped after an internal error; " + poison_;
  const auto newest = failing_.find(newest_);
  if (newest != failing_.end()) return newest->second;
  return failing_.empty() ? std::string() : failing_.begin()->second;
}

}  // namespace mycelial::engine
