// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/sim/checks/checks.hpp"
#include "tests/sim/marks.hpp"

namespace mycelial::sim {

void check_health(Context& c, const Nodes& nodes) {
  std::string digest;
  for (const auto& node : nodes) {
    node->on_engine([&](engine::Engine& e) {
      const auto status = e.status();
      if (!status.ok()) return c.fail(node->name() + " status: " + status.status().to_string());
      if (status->collisions != 0) mark(Mark::overtook_a_transaction);
      if (!status->last_error.empty()) c.fail(node->name() + " says: " + status->last_error);
      const auto check = e.check();
      if (!check.ok()) return c.fail(node->name() + " check: " + check.status().to_string());
      if (!check->empty()) c.fail(node->name() + " check: " + check->front());
      const auto mine = e.digest();
      if (!mine.ok()) return c.fail(node->name() + " digest: " + mine.status().to_string());
      if (!digest.empty() && digest != *mine) c.fail("digests differ on equal files");
      digest = *mine;
    });
    const auto floors = node->client().reader().rows("SELECT max(floor) FROM mycelial_stream");
    if (floors[0][0] != "0") mark(Mark::deaths_forgotten);
  }
}

}  // namespace mycelial::sim
