// SPDX-License-Identifier: Apache-2.0
// What a site must hold, derived from the change sets alone: rows joined in memory, then placed
// into an empty database of the same schema, highest claim first. Shares lib/core and the codec
// with the store, and nothing else.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codec/codec.hpp"
#include "core/row.hpp"
#include "tests/storage/site.hpp"

namespace mycelial::test {

class Oracle {
 public:
  /// `schema`: the application's CREATE statements.
  explicit Oracle(std::string schema);

  /// A unit that the site made or applied, in that order.
  void take(ByteView unit);
  /// From now on the site may have forgotten how rows died.
  void forgets() { forgets_ = true; }
  /// Compares bookkeeping (by a full cut) and tables. Empty if all is as it must be.
  std::string audit(Site& site);

 private:
  using Name = std::pair<std::string, core::Identity>;
  using Rows = std::map<Name, core::Row>;

  void read(ByteView unit, core::Header& header, Rows& rows);
  core::Origin origin_of(const core::Stream& stream);
  std::uint32_t column_of(const std::string& table, const std::string& column);
  core::Value keep(core::Value value);
  std::string audit_book(Site& site);
  std::string audit_tables(Site& site);
  std::string describe(const core::Row& row) const;
  void bury(Rows& rows) const;
  Rows essence(const Rows& rows) const;

  bool forgets_ = false;
  std::string schema_;
  std::map<Hash, core::Schema> schemas_;
  std::vector<core::Stream> streams_{core::Stream{}};
  std::vector<std::uint64_t> covered_{0};
  std::vector<std::pair<std::string, std::string>> columns_;
  Rows rows_;
  std::shared_ptr<std::deque<Bytes>> arena_ = std::make_shared<std::deque<Bytes>>();
};

}  // namespace mycelial::test
