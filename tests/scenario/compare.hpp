// SPDX-License-Identifier: Apache-2.0
// Whether something came out as a script says, and how to tell if not.
#pragma once

#include <string>
#include <vector>

namespace mycelial::scenario {

/// True if `text` is what `pattern` says, where ... stands for anything.
bool matches(const std::string& pattern, const std::string& text);
/// As a script would say it.
std::string listing(const std::vector<std::string>& lines);
/// Empty if the rows are those; in any order unless `in_order`.
std::string compare_rows(std::vector<std::string> expected, std::vector<std::string> rows,
                         bool in_order);
/// Empty if each line is matched by a pattern of its own, in any order.
std::string compare_lines(const std::vector<std::string>& patterns,
                          const std::vector<std::string>& lines);

}  // namespace mycelial::scenario
