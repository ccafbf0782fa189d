// SPDX-License-Identifier: Apache-2.0
#include "storage/app_triggers.hpp"
#include "storage/sql_tokens.hpp"

namespace mycelial::storage {
namespace {

/// Past the parenthesis that closes the one to come.
std::size_t after_parentheses(std::string_view s, std::size_t at) {
  int depth = 0;
  while (at < s.size()) {
    const auto end = token_end(s, at);
    if (s[at] == '(') ++depth;
    if (s[at] == ')' && --depth == 0) return end;
    at = end;
  }
  return at;
}

}  // namespace

std::string copied_trigger(std::string_view sql, const std::string& name) {
  // SQLite keeps "CREATE TRIGGER name ...", however it was written.
  std::size_t at = 0;
  for (int tokens = 0; tokens < 3 && at < sql.size();) {
    const auto end = token_end(sql, at);
    tokens += is_blank(sql.substr(at, end - at)) ? 0 : 1;
    at = end;
  }
  std::string out = "CREATE TEMP TRIGGER " + quote_name(name);
  std::string_view before;
  while (at < sql.size()) {
    const auto end = token_end(sql, at);
    const auto token = sql.substr(at, end - at);
    at = end;
    if (is_blank(token)) {
      if (out.back() != ' ') out += ' ';
      continue;
    }
    if (is_keyword(token, "RAISE") && before != ".") {
      out += "NULL";
      at = after_parentheses(sql, at);
    } else if (is_keyword(token, "ROLLBACK") && is_keyword(before, "OR")) {
      out += "ABORT";
    } else {
      out += token;
    }
    before = token;
  }
  return out;
}

}  // namespace mycelial::storage
