// SPDX-License-Identifier: Apache-2.0
#include "storage/orphans.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mycelial::storage {
namespace {

constexpr std::int64_t kAll = -1;
constexpr std::int64_t kListed = 1000;  // orphans of one foreign key

std::string describe(const TableInfo& table, std::span<const core::Value> values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", table.columns[i].name,
                       to_literal(values[i]));
  }
  return out;
}

std::vector<core::Value> views_of(const std::vector<core::OwnedValue>& values) {
  std::vector<core::Value> out;
  for (const auto& value : values) out.push_back(value.view());
  return out;
}

}  // namespace

/// Whether its table shows a row that children of the vanished one could refer to just as well.
bool Orphans::has_parent(const Reference& key, std::span<const core::Value> values) {
  return !s_.table(key.parent->id)->rows_with(key.to, key.collations, values, 1).empty();
}

/// Rows that are left without a parent by this.
std::vector<TableIo::Holder> Orphans::orphans_of(const Reference& key, const Vanished& parent,
                                                 std::int64_t limit) {
  std::vector<core::Value> values;
  for (const auto position : key.to) values.push_back(parent.values[position].view());
  if (has_parent(key, values)) return {};
  return s_.table(key.child->id)->rows_with(key.from, key.collations, values, limit);
}

/// The foreign key for whose orphans the row is to come back, if there are any. One that would be
/// an orphan itself, and would have to go again, stays away.
const Reference* Orphans::wanted_back(const Vanished& row) {
  for (const auto& [parent, keys] : s_.references()) {
    for (const auto& key : keys) {
      if (key.child->id != row.table || key.orphans != OrphanPolicy::remove) continue;
      std::vector<core::Value> values;
      for (const auto position : key.from) values.push_back(row.values[position].view());
      const auto is_null = [](const auto& v) { return v.type == core::Value::Type::null; };
      if (std::ranges::none_of(values, is_null) && !has_parent(key, values)) return nullptr;
    }
  }
  for (const auto& key : s_.references_to(row.table)) {
    if (key.orphans == OrphanPolicy::restore && !orphans_of(key, row, 1).empty()) return &key;
  }
  return nullptr;
}

void Orphans::restore_parents() {
  Sealer sealer(s_);
  for (bool again = true; std::exchange(again, false);) {
    for (auto& row : s_.vanished_) {
      const auto* key = row.restored ? nullptr : wanted_back(row);
      if (!key) continue;
      again = row.restored = true;  // it may have had a parent itself
      TableIo& io = *s_.table(row.table);
      const auto values = views_of(row.values);
      sealer.revive_row(io, row.identity, values);
      s_.settle(row.table, {row.identity});
      s_.changed_tables_.insert(io.info().name);
      sealer.list(io, {.identity = row.identity,
                       .kind = "restored",
                       .value = describe(io.info(), values),
                       .rule = key->name() + " refers to it, whose policy is restore",
                       .at_ms = s_.now_ms()});
    }
  }
  sealer.finish_rows();
}

void Orphans::remove(Sealer& sealer, const Reference& key, const TableIo::Holder& holder) {
  TableIo& io = *s_.table(key.child->id);
  const RowRef ref{holder.rowid, holder.key};
  Vanished row{io.info().id, s_.identity_of(io, holder), {}, false};
  std::set<core::Identity> rivals;
  if (const auto values = io.read(ref)) {
    row.values = {values->begin(), values->end()};
    rivals = s_.claimants(io, *values);
  }
  io.release();
  sealer.remove_row(io, row.identity);
  s_.changed_tables_.insert(io.info().name);
  sealer.list(io, {.identity = row.identity,
                   .kind = "deleted",
                   .value = describe(io.info(), views_of(row.values)),
                   .rule = fmt::format("its parent in {} is gone, and the policy of {} is delete",
                                       key.parent->name, key.name()),
                   .at_ms = s_.now_ms()});
  if (!rivals.empty()) s_.settle(row.table, std::move(rivals));
  s_.vanished_.push_back(std::move(row));  // others may refer to it
}

void Orphans::remove_orphans() {
  Sealer sealer(s_);
  for (std::size_t i = 0; i < s_.vanished_.size(); ++i) {
    for (const auto& key : s_.references_to(s_.vanished_[i].table)) {
      if (key.orphans != OrphanPolicy::remove) continue;
      for (const auto& holder : orphans_of(key, s_.vanished_[i], kAll)) {
        remove(sealer, key, holder);
      }
    }
  }
  sealer.finish_rows();
}

void Orphans::care() {
  if (s_.vanished_.empty()) return;
  std::erase_if(s_.vanished_, [&](const Vanished& row) {
    const auto* io = s_.table(row.table);
    return !io || io->column_ids().size() != row.values.size();
  });
  restore_parents();
  remove_orphans();
  s_.vanished_.clear();
}

void Orphans::list(TableIo& io, std::vector<StoreImpl::Listed>& out) {
  for (const auto& key : s_.references_from(io)) {
    std::int64_t listed = 0;
    for (const auto& holder : io.rows_without_parent(key, kListed + 1)) {
      Conflict c{.table = io.info().name,
                 .kind = "orphan",
                 .rule = fmt::format("no row of {} has this key", key.parent->name)};
      if (listed++ == kListed) {
        c.value = fmt::format("and more of {}", key.name());
        out.push_back({std::move(c), io.info().id, {}, 0});
        continue;
      }
      if (const auto values = io.read({holder.rowid, holder.key})) {
        for (const auto position : key.from) {
          c.column += (c.column.empty() ? "" : ", ") + io.info().columns[position].name;
          c.value += (c.value.empty() ? "" : ", ") + to_literal((*values)[position]);
        }
        io.release();
      }
      s_.add_listed(out, io.info().id, s_.identity_of(io, holder), std::move(c));
    }
  }
}

}  // namespace mycelial::storage
