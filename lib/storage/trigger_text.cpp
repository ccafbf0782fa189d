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

/// The next token that is not blank. `at` moves past it.
std::string_view next_token(std::string_view s, std::size_t& at) {
  while (at < s.size()) {
    const auto begin = at;
    at = token_end(s, at);
    if (!is_blank(s.substr(begin))) return s.substr(begin, at - begin);
  }
  return {};
}

/// The table, in lower case, that a statement writes which begins with the verb; `at` is behind
/// that. Empty: it writes none.
std::string written_table(std::string_view verb, std::string_view s, std::size_t at) {
  const auto is = [&](const char* keyword) { return is_keyword(verb, keyword); };
  if (!is("INSERT") && !is("REPLACE") && !is("UPDATE") && !is("DELETE")) return {};
  auto token = next_token(s, at);
  if (is_keyword(token, "OR")) {
    next_token(s, at);  // IGNORE, and the like
    token = next_token(s, at);
  }
  if (is_keyword(token, "INTO") || is_keyword(token, "FROM")) token = next_token(s, at);
  return lower_case(unquoted(token));
}

/// The semicolon that ends the statement.
std::size_t end_of_statement(std::string_view s, std::size_t at) {
  while (at < s.size() && s[at] != ';') at = token_end(s, at);
  return at;
}

}  // namespace

std::string copied_trigger(std::string_view sql, const std::string& name,
                           const std::set<std::string>& tracked) {
  // SQLite keeps "CREATE TRIGGER name ...", however it was written.
  std::size_t at = 0;
  for (int tokens = 0; tokens < 3 && at < sql.size();) {
    const auto end = token_end(sql, at);
    tokens += is_blank(sql.substr(at, end - at)) ? 0 : 1;
    at = end;
  }
  std::string out = "CREATE TEMP TRIGGER " + quote_name(name);
  std::string_view before;
  bool writes = false;
  while (at < sql.size()) {
    const auto end = token_end(sql, at);
    const auto token = sql.substr(at, end - at);
    at = end;
    if (is_blank(token)) {
      if (out.back() != ' ') out += ' ';
      continue;
    }
    const bool begins = before == ";" || is_keyword(before, "BEGIN");
    const auto target = begins ? written_table(token, sql, at) : std::string();
    writes |= !target.empty() && !tracked.contains(target);
    if (tracked.contains(target)) {
      out += "SELECT NULL";
      at = end_of_statement(sql, at);
    } else if (is_keyword(token, "RAISE") && before != ".") {
      out += "NULL";
      at = after_parentheses(sql, at);
    } else if (is_keyword(token, "ROLLBACK") && is_keyword(before, "OR")) {
      out += "ABORT";
    } else {
      out += token;
    }
    before = token;
  }
  return writes ? out : std::string();
}

}  // namespace mycelial::storage
