// SPDX-License-Identifier: Apache-2.0
#include "storage/index_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "storage/sql_tokens.hpp"

namespace mycelial::storage {
namespace {

/// The text of one term or of a WHERE clause. `sorted`: ASC or DESC may follow.
class Text {
 public:
  void add(std::string_view token) {
    if (is_blank(token)) {
      if (!text_.empty() && text_.back() != ' ') text_ += ' ';
      return;
    }
    last_ = text_.size();
    sorted_ = is_keyword(token, "ASC") || is_keyword(token, "DESC");
    text_ += token;
  }
  std::string take(bool sorted) {
    std::string out = sorted && sorted_ ? text_.substr(0, last_) : text_;
    while (!out.empty() && out.back() == ' ') out.pop_back();
    *this = Text();
    return out;
  }

 private:
  std::string text_;
  std::size_t last_ = 0;  // where the last token begins
  bool sorted_ = false;   // it is ASC or DESC
};

}  // namespace

IndexText read_index_text(std::string_view sql) {
  IndexText out;
  Text text;
  int depth = 0;
  bool terms_done = false, in_where = false;
  for (std::size_t at = 0; at < sql.size();) {
    const auto end = token_end(sql, at);
    const auto token = sql.substr(at, end - at);
    at = end;
    if (in_where) {
      text.add(token);
    } else if (terms_done) {
      in_where = is_keyword(token, "WHERE");
    } else if (token == "(" && depth++ == 0) {
      continue;
    } else if (token == ")" && --depth == 0) {
      out.terms.push_back(text.take(true));
      terms_done = true;
    } else if (token == "," && depth == 1) {
      out.terms.push_back(text.take(true));
    } else if (depth > 0) {
      text.add(token);
    }
  }
  out.where = text.take(false);
  return out;
}

bool mentions(std::string_view sql, const std::string& name) {
  for (std::size_t at = 0; at < sql.size();) {
    const auto end = token_end(sql, at);
    const auto token = sql.substr(at, end - at);
    if (sqlite3_stricmp(unquoted(token).c_str(), name.c_str()) == 0) return true;
    at = end;
  }
  return false;
}

/// The first half of the union gives the columns all that comparisons depend on, and no row; with
/// LIMIT, SQLite does not take the union apart. RENAME COLUMN changes columns in triggers, but not
/// what a subquery calls them, nor what refers to that.
std::string row_of(const TableInfo& table, const std::vector<std::string>& values) {
  std::string names, row;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::string name = quote_name(table.columns[i].name);
    names += fmt::format("{}{} AS {}", names.empty() ? "" : ", ", name, name);
    row += (row.empty() ? "" : ", ") + values[i];
  }
  return fmt::format("(SELECT {} FROM {} WHERE 0 UNION ALL SELECT {} LIMIT 1)", names,
                     quote_name(table.name), row);
}

}  // namespace mycelial::storage
