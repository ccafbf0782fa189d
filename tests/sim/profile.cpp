// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/profile.hpp"

namespace mycelial::sim {
namespace {

// Lossy, slow radio and short contacts; satellites and long outages; meshes that form and part.
const Profile kProfiles[] = {
    {"drone", 0.7, 128, 1400, 10, 200, 2'000, 40'000, 0.3, 0.05, 2'000, 6, 6, 0.3},
    {"ship", 0.3, 128, 1400, 250, 900, 8'000, 200'000, 0.05, 0.01, 30'000, 3, 3, 0.1},
    {"vehicle", 0.5, 128, 9000, 2, 60, 0, 0, 0.1, 0.03, 1'000, 10, 9, 0.6},
};

}  // namespace

std::optional<Profile> profile_named(const std::string& name) {
  for (const Profile& p : kProfiles) {
    if (p.name == name) return p;
  }
  return std::nullopt;
}

Medium Profile::medium(Random& random) const {
  Medium out;
  out.reliable = !random.chance(datagrams);
  out.caps.message_bytes_max =
      out.reliable ? (random.chance(0.5) ? 64 * 1024 : 4096) : random.between(mtu_min, mtu_max);
  out.caps.delay_ms = static_cast<std::uint32_t>(random.between(delay_min, delay_max));
  out.caps.bytes_per_second = random.between(rate_min, rate_max);
  return out;
}

Path Profile::path(const Medium& medium, Random& random) const {
  Path out;
  out.delay_ms = medium.caps.delay_ms;
  out.bytes_per_second = medium.caps.bytes_per_second;
  out.jitter_ms = random.below(medium.caps.delay_ms + 1);
  if (medium.reliable) return out;
  out.loss = loss_max * static_cast<double>(random.below(100)) / 100;
  out.duplicate = duplicate_max * static_cast<double>(random.below(100)) / 100;
  return out;
}

}  // namespace mycelial::sim
