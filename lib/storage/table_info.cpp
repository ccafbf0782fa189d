// SPDX-License-Identifier: Apache-2.0
#include "storage/table_info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "storage/index_text.hpp"
#include "storage/names.hpp"
#include "storage/sql_tokens.hpp"

namespace mycelial::storage {
namespace {

std::string upper(std::string_view in) {
  std::string out(in);
  for (auto& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

/// A default, as an expression: a name stands for a text there, and for a column elsewhere. Empty
/// if it calls functions.
std::string constant_default(std::string_view text) {
  const bool name = std::isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '"' ||
                    text[0] == '`' || text[0] == '[';
  const bool alone = token_end(text, 0) == text.size();
  const auto is = [&](const char* keyword) { return is_keyword(text, keyword); };
  if (alone && (is("NULL") || is("TRUE") || is("FALSE"))) return std::string(text);
  if (alone && name)
    return is("CURRENT_TIME") || is("CURRENT_DATE") || is("CURRENT_TIMESTAMP")
               ? std::string(text)
               : quote_text(unquoted(text));
  std::string_view before;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = token_end(text, at);
    const auto token = text.substr(at, end - at);
    at = end;
    if (is_blank(token)) continue;
    const bool called =
        !before.empty() &&
        (std::isalpha(static_cast<unsigned char>(before[0])) != 0 || before[0] == '"');
    if (token == "(" && called) return {};
    before = token;
  }
  return std::string(text);
}

/// The rules of SQLite's documentation, "Determination Of Column Affinity".
Affinity affinity_of(std::string_view declared) {
  const std::string type = upper(declared);
  const auto has = [&](const char* s) { return type.find(s) != std::string::npos; };
  if (has("INT")) return Affinity::integer;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Affinity::text;
  if (has("BLOB") || type.empty()) return Affinity::blob;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Affinity::real;
  return Affinity::numeric;
}

bool known_collation(std::string_view name) {
  const auto n = upper(name);
  return n.empty() || n == "BINARY" || n == "NOCASE" || n == "RTRIM";
}

Collation collation_of(std::string_view name) {
  const auto n = upper(name);
  return n == "NOCASE" ? Collation::nocase : n == "RTRIM" ? Collation::rtrim : Collation::binary;
}

std::string declared_collation(Connection& db, const std::string& table,
                               const std::string& column) {
  const char* collation = nullptr;
  sqlite3_table_column_metadata(db.handle(), "main", table.c_str(), column.c_str(), nullptr,
                                &collation, nullptr, nullptr, nullptr);
  return collation ? upper(collation) : std::string();
}

struct Shape {
  std::string type;  // table, virtual, shadow, view
  bool without_rowid = false;
};

std::optional<Shape> shape_of(Connection& db, const std::string& name) {
  Use s(db,
        "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE "
        "NOCASE");
  s->bind_text(1, name);
  if (!s->step()) return std::nullopt;
  return Shape{std::string(s->text(0)), s->integer(1) != 0};
}

struct IndexColumns {
  std::vector<std::string> names;  // empty name: an expression
  std::vector<std::string> collations;
};

IndexColumns index_columns(Connection& db, const std::string& index) {
  IndexColumns out;
  Use s(db, "SELECT cid, name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno");
  s->bind_text(1, index);
  while (s->step()) {
    out.names.emplace_back(s->integer(0) == -2 ? std::string_view() : s->text(1));
    out.collations.emplace_back(s->text(2));
  }
  return out;
}

std::uint32_t position(const TableInfo& t, std::string_view name) {
  const auto it = std::find_if(t.columns.begin(), t.columns.end(),
                               [&](const ColumnInfo& c) { return c.name == name; });
  return static_cast<std::uint32_t>(it - t.columns.begin());
}

void read_text(Connection& db, const TableInfo& t, UniqueIndex& u) {
  Use s(db, "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1");
  if (!s->bind_text(1, u.name).step()) return;
  if (s->is_null(0)) {  // a constraint: columns, of which some are generated
    for (const auto& name : index_columns(db, u.name).names) {
      u.terms.push_back("[" + name + "]");  // "name" could be a text
    }
  } else {
    auto text = read_index_text(s->text(0));
    u.terms = std::move(text.terms);
    u.where = std::move(text.where);
  }
  u.columns.clear();
  for (std::uint32_t i = 0; i < t.columns.size(); ++i) {
    const auto names_it = [&](const auto& sql) { return mentions(sql, t.columns[i].name); };
    if (names_it(u.where) || std::ranges::any_of(u.terms, names_it)) u.columns.push_back(i);
  }
}

void read_indexes(Connection& db, TableInfo& t) {
  Use s(db, "SELECT name, origin, partial FROM pragma_index_list(?1) WHERE \"unique\"");
  s->bind_text(1, t.name);
  while (s->step()) {
    const std::string index(s->text(0));
    const auto columns = index_columns(db, index);
    if (s->text(1) == "pk") {
      for (std::size_t i = 0; i < columns.names.size(); ++i) {
        const auto p = position(t, columns.names[i]);
        if (p < t.columns.size()) t.columns[p].collation = collation_of(columns.collations[i]);
      }
      continue;
    }
    UniqueIndex u;
    u.name = index;
    bool plain = s->integer(2) == 0;
    for (std::size_t i = 0; i < columns.names.size(); ++i) {
      const auto p = position(t, columns.names[i]);
      plain &= p < t.columns.size();
      u.columns.push_back(p);
      u.collations.push_back(collation_of(columns.collations[i]));
    }
    if (!plain) read_text(db, t, u);
    t.uniques.push_back(std::move(u));
  }
  std::sort(t.uniques.begin(), t.uniques.end(),
            [](const UniqueIndex& a, const UniqueIndex& b) { return a.name < b.name; });
}

void give_ids(Connection& db, TableInfo& t, std::uint32_t id) {
  t.id = id;
  read_numbers(db, t);
  t.wire_name = wire_name(db, id);
  t.formerly = former_names(db, id);
}

void read_ids(Connection& db, TableInfo& t) {
  if (db.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'mycelial_table'") == 0) return;
  Use table(db, "SELECT id FROM mycelial_table WHERE name = ?1 AND tracked");
  if (!table->bind_text(1, t.name).step()) return;
  give_ids(db, t, static_cast<std::uint32_t>(table->number(0)));
}

}  // namespace

std::optional<std::uint32_t> column_named(const TableInfo& table, std::string_view name) {
  const std::string wanted(name);
  for (std::uint32_t i = 0; i < table.columns.size(); ++i) {
    if (sqlite3_stricmp(table.columns[i].name.c_str(), wanted.c_str()) == 0) return i;
  }
  return {};
}

TableInfo read_table(Connection& db, const std::string& name) {
  const auto shape = shape_of(db, name);
  if (!shape) throw StorageError(Errc::not_found, fmt::format("no such table: {}", name));
  TableInfo t;
  t.name = name;
  {
    Use s(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE");
    if (s->bind_text(1, name).step()) t.name = s->text(0);
  }
  std::vector<std::pair<int, std::uint32_t>> key;
  std::string key_type;
  Use s(db,
        "SELECT name, type, pk, hidden, \"notnull\", dflt_value FROM pragma_table_xinfo(?1) "
        "ORDER BY cid");
  s->bind_text(1, t.name);
  while (s->step()) {
    if (s->integer(3) != 0) continue;  // generated
    ColumnInfo c;
    c.name = s->text(0);
    c.affinity = affinity_of(s->text(1));
    c.typed_any = c.affinity == Affinity::blob || upper(s->text(1)) == "ANY";
    c.bytewise = declared_collation(db, t.name, c.name) == "BINARY";
    c.key_position = static_cast<int>(s->integer(2));
    if (s->integer(4) != 0 && !s->text(5).empty()) c.instead_of_null = constant_default(s->text(5));
    if (c.key_position > 0) {
      key.emplace_back(c.key_position, static_cast<std::uint32_t>(t.columns.size()));
      key_type = upper(s->text(1));
    }
    t.columns.push_back(std::move(c));
  }
  std::sort(key.begin(), key.end());
  for (const auto& [place, column] : key) t.key.push_back(column);
  read_indexes(db, t);
  Use pk(db, "SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk'");
  const bool key_index = pk->bind_text(1, t.name).step();
  t.kind = shape->without_rowid              ? TableKind::without_rowid
           : t.key.empty()                   ? TableKind::keyless
           : t.key.size() == 1 && !key_index ? TableKind::integer_key
                                             : TableKind::rowid_key;
  Use counted(db,
              "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql LIKE "
              "'%AUTOINCREMENT%'");
  t.autoincrement = t.kind == TableKind::integer_key && counted->bind_text(1, t.name).step();
  Use refs(db,
           "SELECT 1 FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = "
           "'table' AND m.sql LIKE '%REFERENCES%' AND f.\"table\" = ?1 COLLATE NOCASE LIMIT "
           "1");
  t.referenced = refs->bind_text(1, t.name).step();
  read_ids(db, t);
  return t;
}

TableInfo read_table(Connection& db, const std::string& name, std::uint32_t id) {
  auto t = read_table(db, name);
  if (t.id != id) give_ids(db, t, id);
  return t;
}

namespace {

/// Generated columns are not among a row's values; functions may be the application's own.
std::string why_not_evaluated(Connection& db, const TableInfo& t, const UniqueIndex& u) {
  if (u.is_plain()) return {};
  try {
    const Statement evaluate(db, evaluation_of(t, u));
  } catch (const SqliteError& e) {
    if (e.primary() != SQLITE_ERROR) throw;
    return e.what();
  }
  return {};
}

}  // namespace

std::string evaluation_of(const TableInfo& table, const UniqueIndex& index) {
  std::string terms;
  for (const auto& term : index.terms) terms += (terms.empty() ? "" : ", ") + term;
  std::vector<std::string> values;
  for (std::size_t i = 1; i <= table.columns.size(); ++i) values.push_back(fmt::format("?{}", i));
  return fmt::format("SELECT {} FROM {}{}", terms, row_of(table, values),
                     index.where.empty() ? "" : " WHERE " + index.where);
}

std::string refusal(Connection& db, const std::string& name) {
  const auto shape = shape_of(db, name);
  if (!shape) return fmt::format("no such table: {}", name);
  const std::string low = upper(name).substr(0, 9);
  if (low == "MYCELIAL_" || low.substr(0, 7) == "SQLITE_")
    return name + " is bookkeeping, not application data";
  if (shape->type == "view") return name + " is a view; track the tables that it shows";
  if (shape->type == "virtual") {
    return name + " is a virtual table; track the ordinary table that feeds it";
  }
  if (shape->type == "shadow") return name + " belongs to a virtual table";
  const auto t = read_table(db, name);
  if (t.columns.empty()) return name + " has no stored column";
  const auto named = [&](const char* n) {
    return std::any_of(t.columns.begin(), t.columns.end(),
                       [&](const auto& c) { return sqlite3_stricmp(c.name.c_str(), n) == 0; });
  };
  if (t.kind != TableKind::without_rowid && t.kind != TableKind::integer_key && named("rowid") &&
      named("_rowid_") && named("oid")) {
    return name + " hides its row id behind columns named rowid, _rowid_ and oid; rename one";
  }
  for (const auto& u : t.uniques) {
    for (const auto& collation : index_columns(db, u.name).collations) {
      if (known_collation(collation)) continue;
      return fmt::format(
          "{}: the UNIQUE index {} uses the collation {}; use BINARY, NOCASE or RTRIM", name,
          u.name, collation);
    }
    if (const auto why = why_not_evaluated(db, t, u); !why.empty()) {
      return fmt::format(
          "{}: the UNIQUE index {} cannot be evaluated here ({}); make it a plain "
          "index",
          name, u.name, why);
    }
  }
  return {};
}

std::vector<std::string> ordinary_tables(Connection& db) {
  std::vector<std::string> out;
  Use s(db,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', "
        "'virtual', 'shadow') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE "
        "'mycelial\\_%' ESCAPE '\\' ORDER BY name");
  while (s->step()) out.emplace_back(s->text(0));
  return out;
}

}  // namespace mycelial::storage
