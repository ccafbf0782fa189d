// SPDX-License-Identifier: Apache-2.0
// Reads births, deaths, killers and writes, row by row.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "codec/numbers.hpp"
#include "core/types.hpp"

namespace mycelial::codec {

class LifeReader {
 public:
  LifeReader(ByteView lives, ByteView times, ByteView counters, std::size_t origins)
      : in_(lives),
        times_(times),
        counters_(counters),
        last_birth_(origins, 0),
        last_dot_(origins, 0) {}

  /// Fills in everything but the cells; false if malformed or beyond the limits.
  bool next(core::Row& out);
  bool done() const {
    return in_.ok() && in_.at_end() && repeats_ == 0 && times_.done() && counters_.done();
  }

 private:
  bool read_life();
  bool read_dot(std::vector<std::uint64_t>& last, core::Mark& out);
  bool read_marks(std::uint64_t count, std::vector<std::uint64_t>& last, core::Marks& out);
  bool read_list(std::uint64_t code, std::vector<std::uint64_t>& last, core::Marks& out);
  bool read_write(std::uint8_t flags, core::Write& out);
  bool read_writes(std::uint64_t code);
  bool next_time(core::Hlc& out);

  ByteReader in_;
  NumberReader times_, counters_;
  std::vector<std::uint64_t> last_birth_, last_dot_;  ///< Per origin.
  core::Mark last_carrier_;
  core::Row life_;  ///< Of the row before; a write's time is 0 or 1: none, or in the list.
  std::uint64_t repeats_ = 0;
  std::uint64_t last_ms_ = 0, last_counter_ = 0;
  std::size_t marks_per_row_ = 0, marks_ = 0, writes_ = 0;
};

}  // namespace mycelial::codec
