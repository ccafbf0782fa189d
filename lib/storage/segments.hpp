// SPDX-License-Identifier: Apache-2.0
// Bookkeeping of rows by rowid, packed: a segment holds 128 to 256 neighbouring rows and spells out
// each shape once. Written back in batches by flush(). Also the way from hidden identity to rowid.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "storage/identity.hpp"
#include "storage/row_state.hpp"
#include "storage/sqlite.hpp"

namespace mycelial::storage {

/// A hidden identity with its site as a local number.
struct LocalIdentity {
  core::Origin origin = 0;
  std::uint64_t number = 0;
  std::uint32_t random = 0;
  auto operator<=>(const LocalIdentity&) const = default;
};

struct RowEntry {
  std::int64_t rowid = 0;
  RowState state;
  std::optional<LocalIdentity> hidden;  ///< None: the identity is the row's declared key.
  std::uint32_t witness = 0;            ///< Of that key, where the rowid is not the key; else 0.
};

class Segments {
 public:
  explicit Segments(Connection& db);
  ~Segments();

  /// False: no such row. Writes into `out`, whose memory is used again.
  bool find(std::uint32_t table, std::int64_t rowid, RowEntry& out);
  void put(std::uint32_t table, std::int64_t rowid, const RowState& state,
           const std::optional<LocalIdentity>& hidden, std::uint32_t witness);
  void erase(std::uint32_t table, std::int64_t rowid);
  /// The greatest rowid of the table, or one not far below.
  std::optional<std::int64_t> last(std::uint32_t table);
  /// Calls f for each row of the table in rowid order, from rowid `from` on, until it gives false.
  template <class F>
  void for_each(std::uint32_t table, F&& f);

  /// Rows of the first segment that begins at `first` or later; `first` becomes where it does.
  /// None: there is no such segment.
  std::vector<RowEntry> entries_from(std::uint32_t table, std::int64_t& first);

  /// The same for a row whose identity is ours.
  bool find(std::uint32_t table, const LocalIdentity& id, RowEntry& out);

  void flush();    ///< Before COMMIT.
  void discard();  ///< After a rollback, or when another connection wrote.
  void drop_table(std::uint32_t table);

 private:
  struct Segment;
  struct IdentBlock;
  using Key = std::pair<std::uint32_t, std::int64_t>;
  using IdentKey = std::tuple<std::uint32_t, core::Origin, std::uint64_t>;  // table, origin, block

  Segment& segment_for(std::uint32_t table, std::int64_t rowid);
  std::vector<RowEntry> entries(std::uint32_t table, std::int64_t first);
  std::vector<std::int64_t> firsts(std::uint32_t table);
  void split(Segment& segment, std::size_t keep);
  void touch(Segment& segment);
  void write(Segment& segment);
  IdentBlock& block_for(std::uint32_t table, const LocalIdentity& id);
  void touch(const IdentKey& key, IdentBlock& block);
  void write(const IdentKey& key, IdentBlock& block);
  void name(std::uint32_t table, const LocalIdentity& id, std::int64_t rowid);
  void unname(std::uint32_t table, const LocalIdentity& id, std::int64_t rowid);
  void shrink();

  Connection& db_;
  std::map<Key, std::unique_ptr<Segment>> cache_;  // by (table, first)
  std::map<IdentKey, std::unique_ptr<IdentBlock>> idents_;
  std::vector<Segment*> dirty_;
  std::vector<std::pair<IdentKey, IdentBlock*>> dirty_idents_;
  Statement load_, after_, store_, remove_, load_ident_, store_ident_, remove_ident_;
  Segment* last_ = nullptr;
  IdentBlock* last_ident_ = nullptr;
  IdentKey last_ident_key_;
};

template <class F>
void Segments::for_each(std::uint32_t table, F&& f) {
  for (const auto first : firsts(table)) {
    for (const auto& entry : entries(table, first)) {
      if (!f(entry)) return;
    }
  }
}

}  // namespace mycelial::storage
