// SPDX-License-Identifier: Apache-2.0
#include "storage/table_io.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "storage/triggers.hpp"

namespace mycelial::storage {
namespace {

/// Nothing that a trigger could be to blame for.
bool is_of_the_file(int rc) {
  switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_IOERR:
    case SQLITE_FULL:
      return true;
    default:
      return false;
  }
}

}  // namespace

TableIo::TableIo(Connection& db, AppTriggers& triggers, TableInfo info)
    : db_(db), triggers_(triggers), info_(std::move(info)), rowid_name_(rowid_name(info_)) {
  schema_.table = info_.wire_name;
  schema_.formerly = info_.formerly;
  schema_.key = info_.key;
  std::string names;
  for (const auto& c : info_.columns) {
    schema_.columns.push_back(c.name);
    ids_.push_back(c.id);
    if (positions_.size() <= c.id) positions_.resize(c.id + 1, kNowhere);
    positions_[c.id] = static_cast<std::uint32_t>(ids_.size() - 1);
    names += (names.empty() ? "" : ", ") + quote_name(c.name);
  }
  hash_ = schema_.hash();
  columns_ = column_set(ids_);
  Statement conflicts(db,
                      "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql LIKE "
                      "'%ON CONFLICT%'");
  if (conflicts.bind_text(1, info_.name).step()) or_abort_ = " OR ABORT";
  for (const auto k : info_.key) unique_.push_back(ids_[k]);
  for (const auto& u : info_.uniques) {
    for (const auto c : u.columns) unique_.push_back(ids_[c]);
  }
  std::ranges::sort(unique_);
  unique_.erase(std::unique(unique_.begin(), unique_.end()), unique_.end());
  const std::string table = quote_name(info_.name);
  select_ = Statement(db, fmt::format("SELECT {} FROM {} WHERE {}", names, table, where()));
  delete_ = Statement(db, fmt::format("DELETE FROM {} WHERE {}", table, where()));
  if (!info_.key.empty()) {
    std::string match;
    for (const auto k : info_.key) {
      match += fmt::format("{}{} = ? COLLATE {}", match.empty() ? "" : " AND ",
                           quote_name(info_.columns[k].name),
                           collation_name(info_.columns[k].collation));
    }
    find_ = Statement(db, fmt::format("SELECT {} FROM {} WHERE {}", has_rowid() ? rowid_name_ : "0",
                                      table, match));
  }
}

void TableIo::set_policies(TablePolicies policies) {
  policies_ = std::move(policies);
  schema_.policies.clear();
  for (const auto& choice : policies_.choices) {
    const bool whole = choice.column == kWholeTable;
    const auto position = position_of(choice.column);
    if (!whole && !position) continue;
    const auto columns = static_cast<std::uint32_t>(ids_.size());
    const auto index = policy_index(choice, position.value_or(0), columns);
    schema_.policies.push_back({index, choice.name, choice.at_ms, choice.seen_ms});
  }
  hash_ = schema_.hash();
}

bool TableIo::merges_by_policy(const core::Row& row, std::uint32_t position) const {
  if (policy_of(position).kind != core::Policy::Kind::lww) return true;
  return std::ranges::any_of(row.cells, [&](const core::Cell& c) {
    return c.value.type == core::Value::Type::part && c.column == ids_[position];
  });
}

bool TableIo::holds(const core::Row& row, std::size_t i, const core::Ranks& ranks) const {
  const auto& cell = row.cells[i];
  const auto position = position_of(cell.column);
  return position && cell.value.type != core::Value::Type::part &&
         policy_of(*position).kind == core::Policy::Kind::lww && core::is_winner(row, i, ranks);
}

std::string TableIo::where() const {
  if (has_rowid()) return rowid_name_ + " = ?";
  std::string out;
  for (const auto k : info_.key) {
    out += (out.empty() ? "" : " AND ") + quote_name(info_.columns[k].name) + " = ? COLLATE " +
           collation_name(info_.columns[k].collation);
  }
  return out;
}

int TableIo::bind_ref(Statement& s, int at, const RowRef& ref) {
  if (has_rowid()) {
    s.bind(at++, ref.rowid);
    return at;
  }
  const auto values = key_values(ref.key);
  if (!values) throw StorageError(Errc::corrupt, "malformed key identity in " + info_.name);
  for (const auto& v : *values) s.bind(at++, v);
  return at;
}

std::optional<std::span<const core::Value>> TableIo::read(const RowRef& ref) {
  select_.reset();
  bind_ref(select_, 1, ref);
  if (!select_.step()) {
    select_.reset();
    return std::nullopt;
  }
  row_.resize(ids_.size());
  for (std::size_t i = 0; i < row_.size(); ++i) row_[i] = select_.value(static_cast<int>(i));
  return row_;
}

std::optional<std::int64_t> TableIo::find_key(ByteView identity) {
  const auto values = key_values(identity);
  if (!values || values->size() != info_.key.size() || !find_) return std::nullopt;
  if (info_.kind == TableKind::integer_key) {  // the key is the rowid
    if ((*values)[0].type != core::Value::Type::integer) return std::nullopt;
    return (*values)[0].integer;
  }
  Use find(find_);
  int i = 1;
  for (const auto& v : *values) find->bind(i++, v);
  return find->step() ? std::optional(find->integer(0)) : std::nullopt;
}

std::optional<core::Identity> TableIo::key_of(std::span<const core::Value> values) const {
  if (info_.key.empty()) return std::nullopt;
  std::vector<core::Value> key;
  for (const auto k : info_.key) key.push_back(values[k]);
  return key_identity(info_, key);
}

Statement& TableIo::ByColumns::of(std::span<const std::uint32_t> positions) {
  if (last_ && std::ranges::equal(positions, last_positions_)) return *last_;
  last_positions_.assign(positions.begin(), positions.end());
  return *(last_ = &statements_[last_positions_]);
}

bool TableIo::fits(ByteView identity, std::span<const core::Value> values) {
  if (!is_key_identity(identity)) return has_rowid();
  key_ = "K";
  for (const auto k : info_.key) {
    if (values[k].type == core::Value::Type::null) return false;
    put_canonical(key_, values[k], info_.columns[k].collation);
  }
  return !info_.key.empty() && key_ == identity;
}

int TableIo::judge(int rc) {
  if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_CONSTRAINT || (rc & 0xff) == SQLITE_MISMATCH)
    return rc;
  throw SqliteError(rc,
                    fmt::format("{} (writing to {})", sqlite3_errmsg(db_.handle()), info_.name));
}

/// Runs a write. If it fails, and not without the application's triggers, then one of them is to
/// blame: the row counts, its origin has accepted it.
template <class Bind>
int TableIo::write(Statement& s, Bind&& bind) {
  triggers_.prepare();
  bind(s);
  const int rc = s.try_run();
  if (rc == SQLITE_OK || is_of_the_file(rc) || !triggers_.may_fire(info_.name)) {
    return judge(rc);
  }
  const std::string why = sqlite3_errmsg(db_.handle());
  triggers_.pause();
  bind(s);
  const int alone = s.try_run();
  if (alone == SQLITE_OK) triggers_.blame(info_.name, why);
  const int verdict = judge(alone);
  triggers_.resume();
  return verdict;
}

int TableIo::insert(std::span<const std::uint32_t> positions, std::span<const core::Value> values,
                    std::int64_t* rowid) {
  Statement& s = inserts_.of(positions);
  if (!s) {
    std::string names, marks;
    for (const auto p : positions) {
      names += (names.empty() ? "" : ", ") + quote_name(info_.columns[p].name);
      marks += marks.empty() ? "?" : ", ?";
    }
    const std::string into = fmt::format("INSERT{} INTO {}", or_abort_, quote_name(info_.name));
    s = Statement(db_, positions.empty() ? into + " DEFAULT VALUES"
                                         : fmt::format("{}({}) VALUES({})", into, names, marks));
  }
  const int rc = write(s, [&](Statement& to) {
    int i = 1;
    for (const auto p : positions) to.bind(i++, values[p]);
  });
  if (rc == SQLITE_OK && rowid) *rowid = db_.last_rowid();
  return rc;
}

bool TableIo::takes_batch(std::span<const std::uint32_t> positions) {
  triggers_.prepare();
  if (positions.empty() || triggers_.may_fire(info_.name)) return false;
  if (!has_rowid()) return true;
  if (info_.kind == TableKind::integer_key) {
    return std::ranges::find(positions, info_.key[0]) != positions.end();
  }
  return can_name_rowid();
}

/// Columns can have taken every name of it.
bool TableIo::can_name_rowid() const {
  return std::ranges::none_of(info_.columns, [&](const auto& c) {
    return sqlite3_stricmp(c.name.c_str(), rowid_name_.c_str()) == 0;
  });
}

bool TableIo::takes_batch_of_updates() {
  triggers_.prepare();
  return has_rowid() && can_name_rowid() && !triggers_.may_fire(info_.name);
}

bool TableIo::update(std::span<const std::uint32_t> positions, std::span<const core::RowPiece> rows,
                     std::span<const std::int64_t> rowids) {
  if (!batch_) batch_ = std::make_unique<BatchWrite>(db_, info_, rowid_name_);
  return judge(batch_->update(positions, rows, rowids)) == SQLITE_OK;
}

std::size_t TableIo::insert(std::span<const std::uint32_t> positions,
                            std::span<const core::RowPiece> rows,
                            std::vector<std::int64_t>& rowids) {
  if (!batch_) batch_ = std::make_unique<BatchWrite>(db_, info_, rowid_name_);
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max() - (1 << 20);
  rowids.resize(rows.size());
  if (info_.kind == TableKind::integer_key) {
    const auto key = std::ranges::find(positions, info_.key[0]) - positions.begin();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rowids[i] = rows[i].row.cells[static_cast<std::size_t>(key)].value.integer;
    }
  } else if (has_rowid()) {
    const auto last = std::max<std::int64_t>(max_rowid(), 0);
    if (last > kLast) return 0;  // SQLite looks for a free number, row by row
    std::iota(rowids.begin(), rowids.end(), last + 1);
  }
  int code = SQLITE_OK;
  const auto inserted = batch_->insert(positions, rows, rowids, code);
  judge(code);
  // Some errors undo what had been inserted.
  const bool undone = code != SQLITE_OK && inserted > 0 && !read({rowids[0], rows[0].identity});
  release();
  return undone ? 0 : inserted;
}

int TableIo::update(const RowRef& ref, std::span<const std::uint32_t> positions,
                    std::span<const core::Value> values) {
  Statement& s = updates_.of(positions);
  if (!s) {
    std::string set;
    for (const auto p : positions) {
      set += (set.empty() ? "" : ", ") + quote_name(info_.columns[p].name) + " = ?";
    }
    s = Statement(db_, fmt::format("UPDATE{} {} SET {} WHERE {}", or_abort_, quote_name(info_.name),
                                   set, where()));
  }
  return write(s, [&](Statement& to) {
    int i = 1;
    for (const auto p : positions) to.bind(i++, values[p]);
    bind_ref(to, i, ref);
  });
}

void TableIo::remove(const RowRef& ref) {
  const int rc = write(delete_, [&](Statement& to) { bind_ref(to, 1, ref); });
  if (rc != SQLITE_OK) throw SqliteError(rc, "cannot delete a row of " + info_.name);
}

Collation TableIo::collation_in(std::size_t index, std::size_t term) const {
  const bool is_key = index == info_.uniques.size();
  return is_key ? info_.columns[info_.key[term]].collation : info_.uniques[index].collations[term];
}

std::span<const core::Value> TableIo::terms_of(std::size_t index,
                                               std::span<const core::Value> values) {
  terms_.clear();
  const bool is_key = index == info_.uniques.size();
  if (is_key || info_.uniques[index].is_plain()) {
    for (const auto c : is_key ? info_.key : info_.uniques[index].columns) {
      terms_.push_back(values[c]);
    }
  } else {
    auto& s = evaluations_[index];
    if (!s) s = Statement(db_, evaluation_of(info_, info_.uniques[index]));
    Use use(s);
    for (std::size_t i = 0; i < values.size(); ++i) s.bind(static_cast<int>(i) + 1, values[i]);
    if (!s.step()) return {};
    term_bytes_.resize(static_cast<std::size_t>(s.columns()));
    for (std::size_t i = 0; i < term_bytes_.size(); ++i) {
      terms_.push_back(s.value(static_cast<int>(i)));
      term_bytes_[i] = terms_[i].bytes;
      terms_[i].bytes = term_bytes_[i];
    }
  }
  const auto is_null = [](const core::Value& v) { return v.type == core::Value::Type::null; };
  if (std::ranges::any_of(terms_, is_null)) return {};
  return terms_;
}

/// The WHERE clause of a query for the row that has given values in the index.
std::string TableIo::match_of(std::size_t index) const {
  const bool is_key = index == info_.uniques.size();
  const bool plain = is_key || info_.uniques[index].is_plain();
  std::string out;
  const auto add = [&](const std::string& term, std::size_t i) {
    out += fmt::format("{}{} = ? COLLATE {}", out.empty() ? "" : " AND ", term,
                       collation_name(collation_in(index, i)));
  };
  if (plain) {
    const auto& columns = is_key ? info_.key : info_.uniques[index].columns;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      add(quote_name(info_.columns[columns[i]].name), i);
    }
    return out;
  }
  const auto& u = info_.uniques[index];
  for (std::size_t i = 0; i < u.terms.size(); ++i) add("(" + u.terms[i] + ")", i);
  return u.where.empty() ? out : out + " AND (" + u.where + ")";
}

std::optional<TableIo::Holder> TableIo::holder(std::size_t index,
                                               std::span<const core::Value> values) {
  const auto terms = terms_of(index, values);
  if (terms.empty()) return std::nullopt;
  auto& s = holders_[index];
  if (!s) {
    s = Statement(db_, fmt::format("SELECT {} FROM {} WHERE {}", names_of_holder(),
                                   quote_name(info_.name), match_of(index)));
  }
  Use use(s);
  int i = 1;
  for (const auto& term : terms) s.bind(i++, term);
  if (!s.step()) return std::nullopt;
  return holder_at(s);
}

std::string TableIo::names_of_holder() const {
  if (has_rowid()) return rowid_name_;
  std::string out;
  for (const auto k : info_.key) {
    out += (out.empty() ? "" : ", ") + quote_name(info_.columns[k].name);
  }
  return out;
}

TableIo::Holder TableIo::holder_at(Statement& s) const {
  if (has_rowid()) return {s.integer(0), {}};
  std::vector<core::Value> key;
  for (std::size_t k = 0; k < info_.key.size(); ++k) key.push_back(s.value(static_cast<int>(k)));
  return {0, key_identity(info_, key).value_or(core::Identity())};
}

std::vector<TableIo::Holder> TableIo::rows_with(std::span<const std::uint32_t> positions,
                                                std::span<const std::string> collations,
                                                std::span<const core::Value> values,
                                                std::int64_t limit) {
  std::string match;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    match += fmt::format("{}{} = ? COLLATE {}", i == 0 ? "" : " AND ",
                         quote_name(info_.columns[positions[i]].name), quote_name(collations[i]));
  }
  Statement s(db_, fmt::format("SELECT {} FROM {} WHERE {} LIMIT {}", names_of_holder(),
                               quote_name(info_.name), match, limit));
  for (std::size_t i = 0; i < values.size(); ++i) s.bind(static_cast<int>(i) + 1, values[i]);
  std::vector<Holder> out;
  while (s.step()) out.push_back(holder_at(s));
  return out;
}

std::vector<TableIo::Holder> TableIo::rows_without_parent(const Reference& key,
                                                          std::int64_t limit) {
  std::string refers, match;
  for (std::size_t i = 0; i < key.from.size(); ++i) {
    const std::string from = "child." + quote_name(info_.columns[key.from[i]].name);
    refers += from + " IS NOT NULL AND ";
    match += fmt::format("{}parent.{} = {} COLLATE {}", i == 0 ? "" : " AND ",
                         quote_name(key.parent->columns[key.to[i]].name), from,
                         quote_name(key.collations[i]));
  }
  Statement s(db_,
              fmt::format("SELECT {} FROM {} child WHERE {}NOT EXISTS (SELECT 1 FROM {} parent "
                          "WHERE {}) LIMIT {}",
                          names_of_holder(), quote_name(info_.name), refers,
                          quote_name(key.parent->name), match, limit));
  std::vector<Holder> out;
  while (s.step()) out.push_back(holder_at(s));
  return out;
}

Bytes TableIo::claim_of(std::size_t index, std::span<const core::Value> values) {
  Bytes out;
  const auto terms = terms_of(index, values);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    put_canonical(out, terms[i], collation_in(index, i));
  }
  return out;
}

void TableIo::load_defaults() {
  defaults_.resize(info_.columns.size());
  Statement list(db_,
                 "SELECT name, dflt_value FROM pragma_table_xinfo(?1) WHERE dflt_value NOT NULL");
  for (list.bind_text(1, info_.name); list.step();) {
    const std::string text(list.text(1));
    const auto column = std::ranges::find(info_.columns, list.text(0), &ColumnInfo::name);
    // CURRENT_TIME and expressions may give each row another value.
    const bool constant = text.find('(') == text.npos && !text.starts_with("CURRENT_");
    if (column == info_.columns.end() || !constant) continue;
    auto& [value, bytes] = defaults_[static_cast<std::size_t>(column - info_.columns.begin())];
    Statement s(db_, "SELECT " + text);
    if (!s.step()) continue;
    value = s.value(0);
    bytes = value.bytes;
    value.bytes = bytes;
  }
}

core::Value TableIo::default_of(std::size_t position) {
  if (defaults_.empty()) load_defaults();
  return defaults_[position].first;
}

std::int64_t TableIo::max_rowid() {
  if (!max_) {
    max_ = Statement(
        db_, fmt::format("SELECT ifnull(max({}), 0) FROM {}", rowid_name_, quote_name(info_.name)));
  }
  Use max(max_);
  max->step();
  return max->integer(0);
}

}  // namespace mycelial::storage
