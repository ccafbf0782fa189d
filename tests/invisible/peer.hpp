// SPDX-License-Identifier: Apache-2.0
// A second file that gets all that was captured, by sets or by a cut: nothing may be missing.
#pragma once

#include <string>

#include "storage/store.hpp"
#include "tests/invisible/client.hpp"

namespace mycelial::invisible {

/// Tables, indexes, views and triggers as they are now, without rows.
void copy_schema(Client& from, Client& to);
/// Carries everything that `to` lacks. A peer whose schema never had the former names of columns
/// needs a cut, which has today's.
Status carry(storage::Store& from, storage::Store& to, bool as_cut);
/// Rows of the tables that both track. Empty: they are equal.
std::string compare_tables(Client& a, storage::Store& a_store, Client& b, storage::Store& b_store);

}  // namespace mycelial::invisible
