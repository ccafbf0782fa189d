// SPDX-License-Identifier: Apache-2.0
// Orphans: rows whose parent a peer deleted while they were written. Whoever sees the two meet does
// what the foreign key's policy wants, as writes of its own, in the transaction of the meeting. The
// author of an orphan has seen the parent before it hears of its death, so somebody always does.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "storage/sealer.hpp"

namespace mycelial::storage {

class Orphans {
 public:
  explicit Orphans(StoreImpl& store) : s_(store) {}
  /// Inside a write transaction that has applied units.
  void care();
  /// Rows that refer to nothing, whatever the reason.
  void list(TableIo& io, std::vector<StoreImpl::Listed>& out);

 private:
  using Vanished = StoreImpl::Vanished;
  bool has_parent(const Reference& key, std::span<const core::Value> values);
  std::vector<TableIo::Holder> orphans_of(const Reference& key, const Vanished& parent,
                                          std::int64_t limit);
  const Reference* wanted_back(const Vanished& row);
  void restore_parents();
  void remove(Sealer& sealer, const Reference& key, const TableIo::Holder& holder);
  void remove_orphans();

  StoreImpl& s_;
};

}  // namespace mycelial::storage
