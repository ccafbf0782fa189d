// SPDX-License-Identifier: Apache-2.0
// Profiles: what the world is like for a drone, a ship, a vehicle.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/network.hpp"
#include "tests/sim/random.hpp"

namespace mycelial::sim {

struct Profile {
  std::string name;
  double datagrams;                    ///< How many of the links are no streams.
  std::uint64_t mtu_min, mtu_max;      ///< Of datagrams.
  std::uint64_t delay_min, delay_max;  ///< Milliseconds.
  std::uint64_t rate_min, rate_max;    ///< Bytes per second; 0: as fast as one likes.
  double loss_max, duplicate_max;
  std::uint64_t gap_max;        ///< Milliseconds between two steps.
  std::uint32_t blocks, opens;  ///< How often contacts end and begin.
  double density;               ///< Links beside those that connect everybody.

  Medium medium(Random& random) const;
  Path path(const Medium& medium, Random& random) const;
};

std::optional<Profile> profile_named(const std::string& name);

}  // namespace mycelial::sim
