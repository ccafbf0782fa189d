// SPDX-License-Identifier: Apache-2.0
// Just enough of SQL's tokens to copy a trigger.
#include <cctype>

#include "storage/app_triggers.hpp"

namespace mycelial::storage {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// The end of the token at `at`. A quoted text, a name, a comment, a run of spaces, one sign.
std::size_t token_end(std::string_view s, std::size_t at) {
  const char c = s[at];
  if (c == '\'' || c == '"' || c == '`' || c == '[') {
    const char close = c == '[' ? ']' : c;
    for (std::size_t i = at + 1; i < s.size(); ++i) {
      if (s[i] != close) continue;
      if (c == '[' || i + 1 >= s.size() || s[i + 1] != close) return i + 1;
      ++i;
    }
    return s.size();
  }
  if (s.substr(at, 2) == "--") return std::min(s.find('\n', at), s.size());
  if (s.substr(at, 2) == "/*") {
    const auto end = s.find("*/", at + 2);
    return end == std::string_view::npos ? s.size() : end + 2;
  }
  std::size_t end = at + 1;
  const auto run = [&](auto&& belongs) {
    while (end < s.size() && belongs(s[end])) ++end;
  };
  if (is_word(c)) run(is_word);
  if (std::isspace(static_cast<unsigned char>(c)) != 0) {
    run([](char x) { return std::isspace(static_cast<unsigned char>(x)) != 0; });
  }
  return end;
}

bool is_blank(std::string_view token) {
  return std::isspace(static_cast<unsigned char>(token[0])) != 0 || token.substr(0, 2) == "--" ||
         token.substr(0, 2) == "/*";
}

bool same(std::string_view token, const char* keyword) {
  return sqlite3_strnicmp(token.data(), keyword, static_cast<int>(token.size())) == 0 &&
         keyword[token.size()] == '\0';
}

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
    if (same(token, "RAISE") && before != ".") {
      out += "NULL";
      at = after_parentheses(sql, at);
    } else if (same(token, "ROLLBACK") && same(before, "OR")) {
      out += "ABORT";
    } else {
      out += token;
    }
    before = token;
  }
  return out;
}

}  // namespace mycelial::storage
