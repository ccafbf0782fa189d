// SPDX-License-Identifier: Apache-2.0
// Just enough of SQL's tokens to copy statements in part.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mycelial::storage {

/// The end of the token at `at`. A quoted text, a name, a comment, a run of spaces, one sign.
std::size_t token_end(std::string_view sql, std::size_t at);
bool is_blank(std::string_view token);
bool is_keyword(std::string_view token, const char* keyword);
/// A name as SQLite reads it: without its quotes.
std::string unquoted(std::string_view token);

}  // namespace mycelial::storage
