// SPDX-License-Identifier: Apache-2.0
// Makes a script that fails shorter.
#pragma once

#include <functional>

#include "tests/invisible/pair.hpp"

namespace mycelial::invisible {

/// A part of the script for which `fails` still holds, found by at most `tries` tries.
Script shrink(Script script, const std::function<bool(const Script&)>& fails, int tries);

}  // namespace mycelial::invisible
