// SPDX-License-Identifier: Apache-2.0
#include "storage/triggers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "storage/capture.hpp"
#include "storage/index_text.hpp"

namespace mycelial::storage {
namespace {

// What a write costs is decided here; docs/decisions/0011-trigger-text.md says what was measured.
constexpr const char* kNow = "julianday()";
constexpr const char* kRandom = "(random() >> 32)";
constexpr std::uint32_t kMaskBits = 62;
constexpr const char* kRowidNames[] = {"rowid", "_rowid_", "oid"};

/// Builds the statements of one table.
class Writer {
 public:
  explicit Writer(const TableInfo& t) : t_(t), table_(quote_name(t.name)), row_(rowid_name(t)) {}

  std::vector<std::pair<std::string, std::string>> all() {
    before_insert();
    before_update();
    after_insert();
    after_update();
    after_delete();
    return std::move(out_);
  }

 private:
  bool has_rowid() const { return t_.kind != TableKind::without_rowid; }
  bool key_in_entry() const {
    return t_.kind == TableKind::rowid_key || t_.kind == TableKind::without_rowid;
  }
  std::string column(const std::string& of, std::uint32_t i) const {
    return of + "." + quote_name(t_.columns[i].name);
  }
  /// What the new row will have, if the statement replaces: NEW does not show yet that a default
  /// comes in the place of NULL.
  std::string wanted(std::uint32_t i) const {
    const auto& instead = t_.columns[i].instead_of_null;
    const auto given = column("NEW", i);
    return instead.empty() ? given : fmt::format("ifnull({}, {})", given, instead);
  }
  std::string rowid(const std::string& of) const {
    return has_rowid() ? of + "." + row_ : std::string("0");
  }
  int what(Op op) const { return static_cast<int>(t_.id) * 8 + static_cast<int>(op); }

  std::string key_columns() const {
    std::string out;
    for (std::size_t i = 0; i < t_.key.size(); ++i) out += fmt::format(", k{}", i + 1);
    return out;
  }
  std::string key_values(const std::string& of) const {
    std::string out;
    for (const auto k : t_.key) out += ", " + column(of, k);
    return out;
  }
  /// INSERT INTO mycelial_journal ... for one row of the trigger.
  std::string entry(Op op, const std::string& of, bool with_key, const std::string& mask = {},
                    const std::string& random = {}) const {
    std::string names = "what, row, day",
                values = fmt::format("{}, {}, {}", what(op), rowid(of), kNow);
    if (!mask.empty()) names += ", mask", values += ", " + mask;
    if (!random.empty()) names += ", rnd", values += ", " + random;
    if (with_key) names += key_columns(), values += key_values(of);
    return fmt::format("INSERT INTO mycelial_journal({}) VALUES({});", names, values);
  }
  /// Entries for rows that hold the key or unique values that NEW wants; `but` leaves rows out.
  std::string in_the_way(bool with_key_clash, const std::string& but) const {
    std::string where;
    const auto clash = [&](const std::vector<std::uint32_t>& columns, auto collation) {
      std::string all;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        all += fmt::format("{}{} = {} COLLATE {}", i ? " AND " : "", column("t", columns[i]),
                           wanted(columns[i]), collation(i));
      }
      where += (where.empty() ? "(" : " OR (") + all + ")";
    };
    if (with_key_clash && !t_.key.empty()) {
      clash(t_.key, [&](std::size_t i) { return collation_name(t_.columns[t_.key[i]].collation); });
    }
    for (const auto& u : t_.uniques) {
      if (!u.is_plain()) continue;
      clash(u.columns, [&](std::size_t i) { return collation_name(u.collations[i]); });
    }
    std::string out;
    if (!where.empty()) out = in_the_way_where("(" + where + ")" + but);
    for (const auto& u : t_.uniques) {
      if (!u.is_plain()) out += " " + in_the_way_where(claims_the_same(u) + but);
    }
    return out;
  }
  /// For an index over expressions or with WHERE: names stand for columns of the table outside, and
  /// of NEW inside.
  std::string claims_the_same(const UniqueIndex& u) const {
    std::vector<std::string> values;
    for (std::uint32_t i = 0; i < t_.columns.size(); ++i) values.push_back(wanted(i));
    const std::string row = row_of(t_, values);
    // Terms may raise errors for rows that are not in the index.
    const std::string holds = u.where.empty() ? "" : " WHERE " + u.where;
    std::string out = u.where.empty() ? "" : fmt::format("({})", u.where);
    for (std::size_t i = 0; i < u.terms.size(); ++i) {
      out += fmt::format("{}({}) = (SELECT {} FROM {}{}) COLLATE {}", out.empty() ? "" : " AND ",
                         u.terms[i], u.terms[i], row, holds, collation_name(u.collations[i]));
    }
    return out;
  }
  std::string in_the_way_where(const std::string& where) const {
    const bool key = key_in_entry();
    return fmt::format(
        "INSERT INTO mycelial_journal(what, row{}) SELECT {}, {}{} FROM {} AS t WHERE {};",
        key ? key_columns() : "", what(Op::in_the_way), rowid("t"), key ? key_values("t") : "",
        table_, where);
  }
  /// A write that names a rowid can replace its row, whose key nothing else would tell. A statement
  /// of its own: an OR over two indexes takes longer to parse.
  std::string at_its_rowid(const std::string& but) const {
    if (t_.kind != TableKind::rowid_key) return {};
    return in_the_way_where(fmt::format("t.{0} = NEW.{0}", row_) + but);
  }
  /// 1 for values that are not the same to the last bit and type.
  std::string differs(std::uint32_t i) const {
    const auto& c = t_.columns[i];
    const char* binary = c.bytewise ? "" : " COLLATE BINARY";
    const auto o = column("OLD", i), n = column("NEW", i);
    std::string out = fmt::format("{0}{2} IS NOT {1}{2}", o, n, binary);
    if (c.typed_any) out += fmt::format(" OR typeof({}) <> typeof({})", o, n);
    return "(" + out + ")";
  }
  /// Every node of this expression is paid for whenever an UPDATE is parsed.
  std::string mask() const {
    std::uint32_t last = 0;
    for (const auto& c : t_.columns) last = std::max(last, c.id);
    std::vector<std::string> words(last / kMaskBits + 1);
    for (std::uint32_t i = 0; i < t_.columns.size(); ++i) {
      if (t_.kind == TableKind::integer_key && i == t_.key[0]) continue;  // else it has moved
      auto& w = words[t_.columns[i].id / kMaskBits];
      w += fmt::format("{}{} * {}", w.empty() ? "" : " + ", differs(i),
                       std::uint64_t{1} << t_.columns[i].id % kMaskBits);
    }
    std::string out;
    for (const auto& w : words) {
      const auto word = w.empty() ? std::string("0") : w;
      out += out.empty() ? "" : " || ',' || ";
      out += words.size() > 1 ? "(" + word + ")" : word;
    }
    return out;
  }
  std::string any_key_null() const {
    std::string out;
    for (const auto k : t_.key) out += (out.empty() ? "" : " OR ") + column("NEW", k) + " IS NULL";
    return out;
  }
  std::string insert_random() const {
    if (t_.kind == TableKind::keyless) return kRandom;
    if (t_.kind == TableKind::rowid_key) {
      return fmt::format("CASE WHEN {} THEN {} END", any_key_null(), kRandom);
    }
    return {};
  }
  /// The row has another key to SQLite; a change of spelling (case under NOCASE) is none.
  std::string key_differs() const {
    std::string out;
    for (const auto k : t_.key) {
      out += fmt::format("{}{} COLLATE {} IS NOT {}", out.empty() ? "" : " OR ", column("OLD", k),
                         collation_name(t_.columns[k].collation), column("NEW", k));
    }
    return out;
  }

  void trigger(const std::string& part, const std::string& when, const std::string& condition,
               const std::string& body) {
    if (body.empty()) return;
    const auto name = fmt::format("mycelial {} {} (to drop a column: mycelial alter)", t_.id, part);
    out_.emplace_back(
        name, fmt::format("CREATE TRIGGER {} {} ON {} {} BEGIN {} END", quote_name(name), when,
                          table_, condition.empty() ? "" : "WHEN " + condition, body));
  }

  /// One trigger: each costs every insert about as much as what it does.
  void before_insert() {
    if (t_.kind != TableKind::integer_key) {
      return trigger("in the way of insert", "BEFORE INSERT", "",
                     in_the_way(true, "") + at_its_rowid(""));
    }
    // NEW.id is -1 here when SQLite is going to pick the number.
    const auto id = column("NEW", t_.key[0]);
    if (!t_.uniques.empty()) {
      return trigger("in the way of insert", "BEFORE INSERT", "",
                     fmt::format("INSERT INTO mycelial_journal(what, row, rnd) SELECT {}, -1, {} "
                                 "WHERE {} = -1; {}",
                                 what(Op::automatic), kRandom, id, in_the_way(true, "")));
    }
    trigger("in the way of insert", "BEFORE INSERT",
            fmt::format("{0} = -1 OR {0} IN (SELECT {1} FROM {2})", id,
                        quote_name(t_.columns[t_.key[0]].name), table_),
            fmt::format("INSERT INTO mycelial_journal(what, row, rnd) VALUES(CASE {0} WHEN -1 THEN "
                        "{1} ELSE {2} END, {0}, {3});",
                        id, what(Op::automatic), what(Op::in_the_way), kRandom));
  }
  void after_insert() {
    trigger("insert", "AFTER INSERT", "",
            entry(Op::insert, "NEW", t_.kind == TableKind::without_rowid, {}, insert_random()));
  }
  /// Of which columns an UPDATE must name one to change the key or the rowid.
  std::string key_names() const {
    std::string out;
    const auto add = [&](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
    for (const auto k : t_.key) add(quote_name(t_.columns[k].name));
    for (const auto* name : kRowidNames) {
      if (has_rowid()) add(name);
    }
    return out;
  }
  void before_update() {
    std::string names = key_names();
    std::vector<std::uint32_t> of;
    for (const auto& u : t_.uniques) of.insert(of.end(), u.columns.begin(), u.columns.end());
    std::sort(of.begin(), of.end());
    of.erase(std::unique(of.begin(), of.end()), of.end());
    for (const auto c : of) names += ", " + quote_name(t_.columns[c].name);
    std::string but;
    if (has_rowid()) {
      but = fmt::format(" AND t.{0} <> OLD.{0}", row_);
    } else {
      std::string same;
      for (const auto k : t_.key) {
        same += fmt::format("{}{} IS {}", same.empty() ? "" : " AND ", column("t", k),
                            column("OLD", k));
      }
      but = fmt::format(" AND NOT ({})", same);
    }
    trigger("in the way of update", "BEFORE UPDATE OF " + names, "",
            in_the_way(true, but) + at_its_rowid(but));
  }
  void after_update() {
    const bool old_key = key_in_entry();
    const bool new_key = t_.kind == TableKind::without_rowid;
    const std::string moved =
        has_rowid() ? fmt::format("OLD.{0} IS NOT NEW.{0}", row_) : key_differs();
    std::string stays =
        has_rowid() ? fmt::format("OLD.{0} IS NEW.{0}", row_) : "NOT (" + moved + ")";
    trigger("move", "AFTER UPDATE OF " + key_names(), moved,
            entry(Op::remove, "OLD", old_key) + " " +
                entry(Op::insert, "NEW", new_key, {}, insert_random()));
    if (t_.kind == TableKind::rowid_key) {
      trigger("rekey", "AFTER UPDATE OF " + key_names(),
              fmt::format("{} AND ({})", stays, key_differs()),
              entry(Op::rekey, "OLD", true, mask(), insert_random()));
      stays += " AND NOT (" + key_differs() + ")";
    }
    trigger("update", "AFTER UPDATE", stays, entry(Op::update, "NEW", new_key, mask()));
  }
  void after_delete() {
    trigger("delete", "AFTER DELETE", "", entry(Op::remove, "OLD", key_in_entry()));
  }

  const TableInfo& t_;
  std::string table_, row_;
  std::vector<std::pair<std::string, std::string>> out_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> capture_triggers(const TableInfo& table) {
  return Writer(table).all();
}

std::map<std::string, std::uint32_t> columns_of_mask(std::string_view sql) {
  constexpr std::string_view kCompared = "(OLD.\"", kTimes = ") * ", kNextWord = " || ',' || ";
  std::map<std::string, std::uint32_t> out;
  auto at = sql.find(" BEGIN ");
  std::uint32_t word = 0;
  while (at != std::string_view::npos) {
    const auto next = sql.find(kCompared, at);
    const auto between = sql.find(kNextWord, at);
    if (between < next && next != std::string_view::npos) {
      ++word;
      at = between + kNextWord.size();
      continue;
    }
    if (next == std::string_view::npos) break;
    std::string name;
    for (at = next + kCompared.size(); at < sql.size(); ++at) {
      if (sql[at] == '"' && sql.substr(at, 2) != "\"\"") break;
      at += sql[at] == '"' ? 1 : 0;
      name += sql[at];
    }
    at = sql.find(kTimes, at);
    if (at == std::string_view::npos) break;
    const auto bit =
        std::strtoull(std::string(sql.substr(at + kTimes.size(), 20)).c_str(), nullptr, 10);
    if (bit != 0) out[name] = word * kMaskBits + static_cast<std::uint32_t>(std::countr_zero(bit));
  }
  return out;
}

std::string rowid_name(const TableInfo& table) {
  for (const char* name : kRowidNames) {
    const bool taken = std::any_of(table.columns.begin(), table.columns.end(), [&](const auto& c) {
      return sqlite3_stricmp(c.name.c_str(), name) == 0;
    });
    if (!taken) return name;
  }
  return table.key.empty() ? "rowid" : quote_name(table.columns[table.key[0]].name);
}

const char* collation_name(Collation c) {
  return c == Collation::nocase ? "NOCASE" : c == Collation::rtrim ? "RTRIM" : "BINARY";
}

}  // namespace mycelial::storage
