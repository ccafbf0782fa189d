// SPDX-License-Identifier: Apache-2.0
// From a program's MergePolicy to what the core asks for.
#pragma once

#include <memory>
#include <vector>

#include "core/policy/policy.hpp"
#include "mycelial/merge_policy.hpp"
#include "mycelial/status.hpp"
#include "storage/policies.hpp"
#include "storage/references.hpp"

namespace mycelial::engine {

/// Errors: invalid_argument (a name that cannot be, or that two policies have).
Result<storage::Mergers> mergers_of(
    const std::vector<std::shared_ptr<const MergePolicy>>& policies);

}  // namespace mycelial::engine
