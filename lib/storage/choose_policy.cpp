// SPDX-License-Identifier: Apache-2.0
// Choosing merge policies: here, or by a peer. The rows of the table then show what the new policy
// makes of them.
#include <fmt/format.h>

#include <algorithm>

#include "storage/applier.hpp"
#include "storage/sealer.hpp"

namespace mycelial::storage {
namespace {

/// Why the column cannot have this policy for its foreign keys; empty when it can.
std::string reference_refusal(Connection& db, const TableInfo& table, const std::string& column,
                              const std::string& policy) {
  if (column.empty()) {
    return fmt::format("\"{}\" is for a foreign key of {}: name a column of it", policy,
                       table.name);
  }
  if (is_in_foreign_key(db, table.name, column)) return {};
  return fmt::format("{}.{} is in no foreign key: \"{}\" is for those", table.name, column, policy);
}

}  // namespace

Status StoreImpl::set_policy(const std::string& table, const std::string& column,
                             const std::string& policy) {
  return write([&] {
    TableIo* const io = Meta::exists(db_) ? tracked_here(table) : nullptr;
    if (!io) {
      throw StorageError(Errc::not_found,
                         fmt::format("{} is not tracked in {}; track it first", table, path_));
    }
    const auto& info = io->info();
    const auto position = column_named(info, column);
    if (!column.empty() && !position) {
      throw StorageError(Errc::not_found, fmt::format("{} has no column {}", info.name, column));
    }
    const bool of_references = orphan_policy_named(policy).has_value();
    const auto why = of_references ? reference_refusal(db_, info, column, policy)
                                   : policy_refusal(info, position, policy, options_.mergers);
    if (!why.empty()) throw StorageError(Errc::invalid_argument, why);
    seal_journal();
    const auto id = position ? info.columns[*position].id : kWholeTable;
    const auto before = policy_choice(db_, info.id, id, of_references);
    if (before && before->name == policy) return;
    const auto seen_ms = before ? before->at_ms : 0;
    const auto at_ms = std::max(now_ms(), seen_ms + 1);
    choose_policy(db_, info.id, {id, policy, at_ms, seen_ms, of_references});
    adopt_policies(*io);
    remember_schema(io->schema(), true);
    codec::BodyWriter news;
    news.add_schema(io->schema());
    publish(news);
  });
}

Result<std::vector<PolicyInfo>> StoreImpl::policies() {
  std::vector<PolicyInfo> out;
  const Status status = read_only([&] {
    for (const auto& [id, io] : tables_) {
      const auto& policies = io->policies();
      for (const auto& choice : policies.choices) {
        const bool known =
            std::ranges::find(policies.unknown, choice.name) == policies.unknown.end();
        out.push_back({io->info().name,
                       choice.column == kWholeTable ? "" : column_name(db_, id, choice.column),
                       choice.name, known});
      }
    }
  });
  if (!status.ok()) return status;
  return out;
}

/// The table goes by what has been chosen for it.
void StoreImpl::adopt_policies(TableIo& io) {
  io.set_policies(table_policies(db_, io.info(), options_.mergers));
  references_.reset();
  for (const auto& name : io.policies().unknown) {
    notes_.insert(fmt::format(
        "{}: this program has no merge policy \"{}\"; until one that has it opens the file, the "
        "last write shows here",
        io.info().name, name));
    meta_.set("policies_unknown", core::Value::of(1));
  }
  Applier(*this).show_by_policies(io);
}

/// Another connection may have chosen one.
void StoreImpl::reload_policies() {
  const auto version = meta_.get_integer("policies");
  if (version == policies_version_) return;
  policies_version_ = version;
  references_.reset();
  for (const auto& [id, io] : tables_) {
    io->set_policies(table_policies(db_, io->info(), options_.mergers));
  }
}

/// The table's foreign keys to tracked tables, with their policies.
std::vector<Reference> StoreImpl::references_from(const TableIo& io) {
  return references_of(db_, io.info(), io.policies().choices,
                       [&](std::string_view name) -> const TableInfo* {
                         const TableIo* const parent = tracked_here(std::string(name));
                         return parent ? &parent->info() : nullptr;
                       });
}

/// Foreign keys whose orphans do not just stay, by the table that they refer to.
const StoreImpl::References& StoreImpl::references() {
  if (references_) return *references_;
  references_.emplace();
  for (const auto& [id, io] : tables_) {
    if (std::ranges::none_of(io->policies().choices, &PolicyChoice::of_references)) continue;
    for (auto& key : references_from(*io)) {
      if (key.orphans == OrphanPolicy::keep) continue;
      (*references_)[key.parent->id].push_back(std::move(key));
    }
  }
  return *references_;
}

const std::vector<Reference>& StoreImpl::references_to(std::uint32_t parent) {
  static const std::vector<Reference> kNone;
  const auto it = references().find(parent);
  return it == references().end() ? kNone : it->second;
}

/// Programs without a policy showed the last write instead; this one can do better.
void StoreImpl::show_known_policies() {
  if (options_.mergers.empty() || meta_.get_integer("policies_unknown") == 0) return;
  const auto lacks = [](const auto& table) { return !table.second->policies().unknown.empty(); };
  if (std::ranges::any_of(tables_, lacks)) return;
  seal_journal();
  meta_.set("policies_unknown", core::Value::of(0));
  for (const auto& [id, io] : tables_) {
    if (io->has_policies()) adopt_policies(*io);
  }
}

/// Somebody chose otherwise, and the later choice holds everywhere.
void StoreImpl::note_policy(TableIo* io, std::uint32_t table, const PolicyChoice& lost,
                            const PolicyChoice& won) {
  const bool whole = lost.column == kWholeTable;
  const auto column = whole ? std::string() : column_name(db_, table, lost.column);
  note_conflict(table, {.column = column,
                        .kind = "policy",
                        .value = lost.name,
                        .winner = won.name,
                        .rule = "the policy that was chosen last",
                        .at_ms = lost.at_ms});
  notes_.insert(
      fmt::format("{}{}{}: one site chose the merge policy {}, another one {}; {} was "
                  "chosen last and holds",
                  io ? io->info().name : wire_name(db_, table), whole ? "" : ".", column, lost.name,
                  won.name, won.name));
}

void Applier::learn_policies(const core::Schema& schema) {
  if (schema.policies.empty()) return;
  const auto table = table_number(s_.db_, schema.table);
  const auto columns = column_numbers(s_.db_, table, schema.columns);
  TableIo* const io = s_.table(table);
  bool news = false;
  for (const auto& policy : schema.policies) {
    const auto place =
        policy_place(policy.column, static_cast<std::uint32_t>(schema.columns.size()));
    const PolicyChoice theirs{place.column ? columns[*place.column] : kWholeTable, policy.name,
                              policy.at_ms, policy.seen_ms, place.of_references};
    const auto ours = policy_choice(s_.db_, table, theirs.column, theirs.of_references);
    const bool won = choose_policy(s_.db_, table, theirs);
    news |= won;
    if (!ours || ours->name == theirs.name) continue;
    const auto& winner = won ? theirs : *ours;
    const auto& loser = won ? *ours : theirs;
    if (winner.seen_ms < loser.at_ms) s_.note_policy(io, table, loser, winner);
  }
  if (news && io) s_.adopt_policies(*io);
}

void Applier::show_by_policies(TableIo& io) {
  Target t;
  t.id = io.info().id;
  t.io = &io;
  std::set<core::Identity> shown, hidden;
  s_.segments_->for_each(t.id, [&](const RowEntry& e) {
    if (e.hidden) {
      shown.insert(s_.wire_identity(*e.hidden));
    } else if (const auto values = io.read({e.rowid, {}})) {
      shown.insert(io.key_of(*values).value_or(core::Identity()));
    }
    io.release();
    return true;
  });
  {
    Statement list(s_.db_,
                   "SELECT ident, status FROM mycelial_row WHERE tbl = ?1 AND status IN (0, 2, 4)");
    list.bind(1, t.id);
    while (list.step()) (list.integer(1) == 0 ? shown : hidden).emplace(list.blob(0));
  }
  for (const auto& identity : shown) {
    kept_.clear();
    s_.find_row(t.id, &io, identity, before_);
    if (!before_.shown()) continue;
    s_.unpack(before_, &io, old_);
    merged_ = old_;
    const auto now = io.read({before_.rowid, identity});
    for (std::size_t i = 0; now && i < merged_.cells.size(); ++i) {  // the book keeps them now
      auto& cell = merged_.cells[i];
      const auto position = io.position_of(cell.column);
      if (position && cell.value.type == core::Value::Type::in_table &&
          !io.holds(merged_, i, s_.meta_.ranks())) {
        cell.value = keep((*now)[*position]);
      }
    }
    io.release();
    show(t, identity, before_, merged_);
  }
  contest(t, std::move(hidden));
  for (const auto& [table, contested] : contested_) s_.settle(table, contested);
  s_.changed_tables_.insert(io.info().name);
}

}  // namespace mycelial::storage
