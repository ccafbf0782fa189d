// SPDX-License-Identifier: Apache-2.0
// Turns rows of one table into one RowBlock.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "codec/codec.hpp"
#include "codec/column_writer.hpp"
#include "core/types.hpp"

namespace mycelial::codec {

class BlockWriter {
 public:
  explicit BlockWriter(const Hash& schema) : schema_(schema) {}

  void add(const core::RowPiece& piece, const BodyWriter::OriginNames& origin_of);
  bool empty() const { return rows_ == 0; }
  bool full() const;
  std::size_t bytes() const { return bytes_; }  ///< Roughly.
  /// Appends the block's fields.
  void finish(Bytes& out);

 private:
  void add_identity(const core::Identity& identity);
  void add_life(const core::Row& row, const BodyWriter::OriginNames& origin_of);
  void add_cells(const core::Row& row);
  void end_life();

  std::uint32_t origin(core::Origin origin, const BodyWriter::OriginNames& origin_of);
  core::Mark mark(const core::Mark& mark, const BodyWriter::OriginNames& origin_of);
  core::Marks marks(const core::Marks& marks, const BodyWriter::OriginNames& origin_of);
  void put_dot(const core::Mark& mark, std::vector<std::uint64_t>& last);
  void put_marks(const core::Marks& marks, std::vector<std::uint64_t>& last, bool count);
  std::uint8_t write_flags(const core::Write& write, const core::Marks& births) const;
  void put_write(const core::Write& write, const core::Marks& births);
  void add_time(core::Hlc time);

  Hash schema_;
  std::size_t rows_ = 0, cells_ = 0, marks_ = 0, writes_ = 0, identity_bytes_ = 0, bytes_ = 0;

  std::unordered_map<core::Origin, std::uint32_t> origin_index_;
  Bytes origins_;
  std::vector<std::uint64_t> last_birth_{0}, last_dot_{0};  ///< Per origin of the block.

  core::Identity last_identity_;
  std::vector<std::uint64_t> shared_, rest_;
  Bytes identities_;

  core::Row last_life_;                                 ///< The row before as given; no cells.
  core::Marks last_births_, last_dead_, last_killers_;  ///< The same, in origins of the block.
  core::Mark last_carrier_;
  std::uint64_t repeats_ = 0;
  std::uint64_t life_flags_ = 0;
  Bytes life_;  ///< Of the row before, behind its flags.
  Bytes lives_;
  std::vector<std::uint64_t> times_, counters_;
  std::uint64_t last_ms_ = 0, last_counter_ = 0;

  std::vector<std::uint64_t> patterns_, pattern_of_;
  std::unordered_map<std::string, std::uint64_t> pattern_index_;
  std::vector<core::Cell> last_cells_;  ///< Columns and writes of the row before.
  std::vector<ColumnWriter> columns_;
  Bytes key_;
};

}  // namespace mycelial::codec
