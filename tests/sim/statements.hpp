// SPDX-License-Identifier: Apache-2.0
// The SQL of the workload.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/ledger.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/sql.hpp"

namespace mycelial::sim {

/// One or several statements on a table, as an application might run them on what it sees; through
/// its view, if `by_view`. Columns that the application does not know of are not in Table::values.
std::vector<std::string> random_statements(const Table& table, const Image& now, bool by_view,
                                           Random& random, Ledger& ledger);
/// Opens the owner's accounts, or moves an amount between two of them.
std::vector<std::string> account_statements(int owner, const Image& now, Random& random,
                                            Ledger& ledger);

}  // namespace mycelial::sim
