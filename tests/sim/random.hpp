// SPDX-License-Identifier: Apache-2.0
// Random numbers from a seed: the same on every machine, unlike the distributions of <random>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mycelial::sim {

class Random {
 public:
  /// Two seeds give histories that have nothing in common.
  explicit Random(std::uint64_t seed) : state_(seed) { state_ = next() ^ (next() << 1); }
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return n ? next() % n : 0; }
  /// Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  bool chance(double p) { return static_cast<double>(next() >> 11) * 0x1p-53 < p; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }
  /// An index, as likely as its weight.
  std::size_t weighted(const std::vector<std::uint32_t>& weights) {
    std::uint64_t total = 0;
    for (const auto w : weights) total += w;
    std::uint64_t at = below(total);
    std::size_t i = 0;
    while (at >= weights[i]) at -= weights[i++];
    return i;
  }

 private:
  std::uint64_t state_;
};

}  // namespace mycelial::sim
