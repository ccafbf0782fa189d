// SPDX-License-Identifier: Apache-2.0
#include "storage/sql_tokens.hpp"

#include <algorithm>
#include <cctype>

#include "storage/sqlite.hpp"

namespace mycelial::storage {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

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

bool is_keyword(std::string_view token, const char* keyword) {
  return sqlite3_strnicmp(token.data(), keyword, static_cast<int>(token.size())) == 0 &&
         keyword[token.size()] == '\0';
}

std::string unquoted(std::string_view token) {
  const char open = token.empty() ? '\0' : token[0];
  if (open != '"' && open != '\'' && open != '`' && open != '[') return std::string(token);
  std::string out;
  for (std::size_t i = 1; i + 1 < token.size(); ++i) {
    out += token[i];
    if (open != '[' && token[i] == open) ++i;
  }
  return out;
}

}  // namespace mycelial::storage
