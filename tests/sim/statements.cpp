// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/statements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mycelial::sim {
namespace {

constexpr std::uint64_t kKeys = 8;  // keys to choose from, so that nodes meet
constexpr std::uint64_t kEmails = 5;

const std::vector<std::string> kVerbs = {
    "INSERT OR REPLACE", "INSERT OR REPLACE",  "INSERT OR REPLACE", "INSERT OR IGNORE",
    "INSERT OR IGNORE",  "INSERT OR ROLLBACK", "INSERT OR FAIL"};

class Writer {
 public:
  Writer(const Table& table, const Image& now, bool by_view, Random& random, Ledger& ledger)
      : t_(table),
        name_(by_view ? table.view : table.name),
        by_view_(by_view),
        now_(now),
        random_(random),
        ledger_(ledger) {}

  std::vector<std::string> write() {
    enum {
      add,
      add_or,
      upsert,
      update,
      update_many,
      update_from,
      unique,
      remove,
      clear,
      move,
      swap
    };
    const std::uint32_t k = t_.key.empty() ? 0 : 1, b = by_view_ ? 0 : k;
    const std::uint32_t u = t_.unique.empty() ? 0 : 1;
    switch (random_.weighted({30, 12 * b, 14 * b, 32, 4, 3 * b, 12 * u, 12, 1, 6 * k, 3 * k})) {
      case add:
        return {insert("INSERT")};
      case add_or:
        return {insert(random_.pick(kVerbs))};
      case upsert:
        return {insert("INSERT") + on_conflict()};
      case update:
        return some([&](const std::string& where) {
          return fmt::format("UPDATE {}{} SET {} WHERE {}", or_replace(), name_, sets(), where);
        });
      case update_many:
        return {fmt::format("UPDATE {} SET {} = {} || '/' || life", name_, t_.values.back(),
                            ledger_.fresh(random_, false))};
      case update_from:
        return some([&](const std::string& where) {
          const auto& column = random_.pick(t_.values);
          const bool from = random_.chance(0.5);
          return fmt::format("WITH news(what) AS (SELECT {}) UPDATE {} SET {} = {} WHERE {}",
                             value(column), name_, column,
                             from ? "news.what FROM news" : "(SELECT what FROM news)", where);
        });
      case clear:
        return {"DELETE FROM " + name_};
      case unique:
        return some([&](const std::string& where) {
          return fmt::format("UPDATE {}{} SET {} = {} WHERE {}", or_replace(), name_, t_.unique,
                             email(), where);
        });
      case remove:
        return some([&](const std::string& where) {
          return fmt::format("DELETE FROM {} WHERE {}", name_, where);
        });
      case move:
        return some([&](const std::string& where) {
          return fmt::format("UPDATE {}{} SET {} WHERE {}", or_replace(), name_,
                             key_sets(new_key()), where);
        });
      default:
        return swap_two();
    }
  }

 private:
  template <class F>
  std::vector<std::string> some(F&& statement) {
    if (now_.empty()) return {insert("INSERT")};
    return {statement(where(any_row()))};
  }
  Image::const_iterator any_row() {
    return std::next(now_.begin(), static_cast<std::ptrdiff_t>(random_.below(now_.size())));
  }
  std::string where(Image::const_iterator row) {
    if (t_.key.empty()) return "rowid = " + row->first;
    std::string out;
    for (const auto& k : t_.key) {
      const auto at = std::find(t_.columns.begin(), t_.columns.end(), k);
      out += fmt::format("{}{} = {}", out.empty() ? "" : " AND ", k,
                         row->second[static_cast<std::size_t>(at - t_.columns.begin())]);
    }
    return out;
  }
  std::string or_replace() {
    return !t_.key.empty() && !by_view_ && random_.chance(0.2) ? "OR REPLACE " : "";
  }
  std::string email() {
    if (random_.chance(0.2)) return "NULL";
    return fmt::format("'e{}'", random_.below(kEmails));
  }
  std::vector<std::string> new_key() {
    const auto n = random_.below(kKeys);
    if (t_.key.size() == 2) {
      return {std::to_string(n % 3), fmt::format("'y{}'", random_.below(3))};
    }
    if (t_.automatic) return {std::to_string(n + 1)};
    return {fmt::format("'k{}'", n)};
  }
  std::string key_sets(const std::vector<std::string>& key) {
    std::string out;
    for (std::size_t i = 0; i < key.size(); ++i) {
      out += fmt::format("{}{} = {}", i ? ", " : "", t_.key[i], key[i]);
    }
    return out;
  }
  std::string sets() {
    std::string out;
    for (const auto& column : t_.values) {
      if (!out.empty() && random_.chance(0.6)) continue;
      out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", column, next_value(column));
    }
    return out;
  }
  std::string value(const std::string& column) {
    if (random_.chance(0.05)) return "NULL";
    if (t_.merges) return merged_value(column);
    if (column == "folder") {
      return fmt::format("(SELECT id FROM folder LIMIT 1 OFFSET {})", random_.below(4));
    }
    return ledger_.fresh(random_, column != "b");
  }
  /// Of a column that has one now.
  std::string next_value(const std::string& column) {
    const bool counts = t_.merges && column == "n" && random_.chance(0.8);
    return counts ? fmt::format("ifnull(n, 0) + {}", random_.below(5)) : value(column);
  }
  std::string merged_value(const std::string& column) {
    const auto some = random_.below(4), other = random_.below(4);
    if (column == "s") return fmt::format("'[{}, \"e{}\"]'", some, other);
    if (column == "j") return fmt::format("'{{\"k{}\": {}, \"l\": 1}}'", some, other);
    return std::to_string(random_.below(100));
  }
  std::string insert(const std::string& verb) {
    std::vector<std::string> key;
    if (!t_.key.empty() && !(t_.automatic && random_.chance(0.7))) key = new_key();
    std::string names = "life", values = ledger_.fresh(random_, false);
    const auto add = [&](const std::string& name, const std::string& v) {
      names += ", " + name;
      values += ", " + v;
    };
    for (std::size_t i = 0; i < key.size(); ++i) add(t_.key[i], key[i]);
    if (!t_.unique.empty()) add(t_.unique, email());
    if (t_.has_upserts()) add("up", ledger_.fresh(random_, false));
    for (const auto& column : t_.values) {
      if (random_.chance(0.85)) add(column, value(column));
    }
    return fmt::format("{} INTO {}({}) VALUES({})", verb, name_, names, values);
  }
  std::string on_conflict() {
    std::string target;
    for (const auto& k : t_.key) target += (target.empty() ? "" : ", ") + k;
    const auto& column = random_.pick(t_.values);
    return fmt::format(" ON CONFLICT({}) DO UPDATE SET up = excluded.up, {} = {}", target, column,
                       value(column));
  }
  /// Two rows change places.
  std::vector<std::string> swap_two() {
    if (now_.size() < 2) return {insert("INSERT")};
    const auto a = any_row(), b = any_row();
    if (a == b) return {insert("INSERT")};
    const auto key_of = [&](Image::const_iterator row) {
      std::vector<std::string> out;
      for (const auto& k : t_.key) {
        const auto at = std::find(t_.columns.begin(), t_.columns.end(), k);
        out.push_back(row->second[static_cast<std::size_t>(at - t_.columns.begin())]);
      }
      return out;
    };
    std::vector<std::string> nowhere = key_of(a);
    nowhere[0] = t_.automatic || nowhere.size() == 2 ? "-77" : "'nowhere'";
    const auto find = [&](const std::vector<std::string>& key) {
      std::string out;
      for (std::size_t i = 0; i < key.size(); ++i) {
        out += fmt::format("{}{} = {}", i ? " AND " : "", t_.key[i], key[i]);
      }
      return out;
    };
    const auto move = [&](const auto& from, const auto& to) {
      return fmt::format("UPDATE {} SET {} WHERE {}", name_, key_sets(to), find(from));
    };
    return {move(key_of(a), nowhere), move(key_of(b), key_of(a)), move(nowhere, key_of(b))};
  }

  const Table& t_;
  const std::string& name_;
  const bool by_view_;
  const Image& now_;
  Random& random_;
  Ledger& ledger_;
};

}  // namespace

std::vector<std::string> random_statements(const Table& table, const Image& now, bool by_view,
                                           Random& random, Ledger& ledger) {
  auto out = Writer(table, now, by_view, random, ledger).write();
  if (out.size() == 1 && !by_view && random.chance(0.05)) out[0] += " RETURNING *";
  return out;
}

std::vector<std::string> account_statements(int owner, const Image& now, Random& random,
                                            Ledger& ledger) {
  std::vector<std::string> out;
  const auto mine = [&](int slot) { return now.contains(fmt::format("{}, {}", owner, slot)); };
  if (!mine(0)) {
    for (int slot = 0; slot < kSlots; ++slot) {
      out.push_back(fmt::format("INSERT INTO account VALUES({}, {}, {}, {})", owner, slot, kBalance,
                                ledger.fresh(random, false)));
    }
    return out;
  }
  const auto from = random.below(kSlots);
  const auto to = (from + 1 + random.below(kSlots - 1)) % kSlots;
  const auto amount = 1 + random.below(50);
  for (const auto& [slot, sign] : {std::pair(from, '-'), std::pair(to, '+')}) {
    out.push_back(fmt::format(
        "UPDATE account SET balance = balance {} {}, memo = {} WHERE owner = {} AND slot = {}",
        sign, amount, ledger.fresh(random, false), owner, slot));
  }
  return out;
}

}  // namespace mycelial::sim
