// SPDX-License-Identifier: Apache-2.0
#include "codec/life_reader.hpp"

#include "codec/block_format.hpp"
#include "codec/limits.hpp"

namespace mycelial::codec {

namespace {

std::uint64_t plus(std::uint64_t base, std::uint64_t coded) {
  return base + static_cast<std::uint64_t>(unzigzag(coded));
}

}  // namespace

bool LifeReader::read_dot(std::vector<std::uint64_t>& last, core::Mark& out) {
  const std::uint64_t origin = in_.varint();
  if (!in_.ok() || origin >= last.size()) return false;
  out.origin = static_cast<core::Origin>(origin);
  out.seq = last[origin] = plus(last[origin], in_.varint());
  return in_.ok() && out.seq <= kSeqMax;
}

bool LifeReader::read_marks(std::uint64_t count, std::vector<std::uint64_t>& last,
                            core::Marks& out) {
  out.clear();
  if (count > last.size()) return false;  // At most one per origin.
  for (std::uint64_t i = 0; i < count; ++i) {
    core::Mark mark;
    if (!read_dot(last, mark)) return false;
    if (!out.empty() && mark.origin <= out.back().origin) return false;
    out.push_back(mark);
  }
  return true;
}

bool LifeReader::read_list(std::uint64_t code, std::vector<std::uint64_t>& last, core::Marks& out) {
  switch (static_cast<life::List>(code & 3)) {
    case life::List::none:
      out.clear();
      return true;
    case life::List::one:
      return read_marks(1, last, out);
    case life::List::many:
      return read_marks(in_.varint(), last, out);
    case life::List::same:
      return true;
  }
  return false;
}

bool LifeReader::read_write(std::uint8_t flags, core::Write& out) {
  switch (flags & write_flag::carrier_mask) {
    case write_flag::carrier_explicit:
      if (!read_dot(last_dot_, out.carrier)) return false;
      break;
    case write_flag::carrier_last:
      out.carrier = last_carrier_;
      break;
    case write_flag::carrier_birth:
      if (life_.births.empty()) return false;
      out.carrier = life_.births.front();
      break;
    default:
      return false;
  }
  last_carrier_ = out.carrier;
  core::Mark stamp = out.carrier;
  if ((flags & write_flag::stamp_is_carrier) == 0 && !read_dot(last_dot_, stamp)) return false;
  out.stamp = {(flags & write_flag::time_zero) != 0 ? 0U : 1U, stamp.origin, stamp.seq};
  if ((flags & write_flag::targets_are_births) != 0) {
    out.targets = life_.births;
    return true;
  }
  return read_marks(in_.varint(), last_birth_, out.targets);
}

bool LifeReader::read_writes(std::uint64_t code) {
  life_.writes.clear();
  if (code == life::usual_write) return read_write(write_flag::usual, life_.writes.emplace_back());
  const std::uint64_t count = code == 2 ? in_.varint() : code;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t flags = in_.varint();
    if (!in_.ok() || flags >= 32 || life_.writes.size() >= kBlockWritesMax) return false;
    if (!read_write(static_cast<std::uint8_t>(flags), life_.writes.emplace_back())) return false;
    // Copied births take no input, so they are counted as they come.
    marks_per_row_ += life_.writes.back().targets.size();
    if (marks_per_row_ > kBlockMarksMax) return false;
  }
  return true;
}

bool LifeReader::read_life() {
  const std::uint64_t flags = in_.varint();
  if (!in_.ok() || flags >> 9 != 0) return false;
  repeats_ = (flags & life::repeats) != 0 ? in_.varint() : 0;
  marks_per_row_ = 0;
  if (!read_list(flags >> life::births_at, last_birth_, life_.births) ||
      !read_list(flags >> life::dead_at, last_birth_, life_.dead) ||
      !read_list(flags >> life::killers_at, last_dot_, life_.killers) ||
      !read_writes((flags >> life::writes_at) & 3)) {
    return false;
  }
  marks_per_row_ = life_.births.size() + life_.dead.size() + life_.killers.size();
  for (const auto& write : life_.writes) marks_per_row_ += write.targets.size();
  return in_.ok();
}

bool LifeReader::next_time(core::Hlc& out) {
  const std::uint64_t ms = plus(last_ms_, times_.next());
  if (ms != last_ms_) last_counter_ = 0;
  const std::uint64_t counter = plus(last_counter_, counters_.next());
  if (!times_.ok() || !counters_.ok() || ms > core::hlc_ms(core::kHlcMax) || counter > 0xffff) {
    return false;
  }
  last_ms_ = ms;
  last_counter_ = counter;
  out = core::hlc_from_ms(ms) | counter;
  return true;
}

bool LifeReader::next(core::Row& out) {
  if (repeats_ > 0) {
    --repeats_;
  } else if (!read_life()) {
    return false;
  }
  marks_ += marks_per_row_;
  writes_ += life_.writes.size();
  if (marks_ > kBlockMarksMax || writes_ > kBlockWritesMax) return false;
  out.births = life_.births;
  out.dead = life_.dead;
  out.killers = life_.killers;
  out.writes = life_.writes;
  for (auto& write : out.writes) {
    if (write.stamp.time != 0 && !next_time(write.stamp.time)) return false;
  }
  return true;
}

}  // namespace mycelial::codec
