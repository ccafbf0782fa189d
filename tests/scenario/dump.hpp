// SPDX-License-Identifier: Apache-2.0
// What the sqlite3 shell's .dump writes.
#pragma once

#include <string>

#include "tests/scenario/site.hpp"

namespace mycelial::scenario {

/// SQL that makes an empty file hold what the site's file holds. No virtual tables.
std::string dump_of(Site& site);

}  // namespace mycelial::scenario
