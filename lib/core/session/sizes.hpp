// SPDX-License-Identifier: Apache-2.0
// How many bytes a message takes at most, as docs/wire.md encodes it: what is said is cut to what
// the link takes. `most` is the size of the whole message, which bounds the lengths inside.
#pragma once

#include <cstddef>

#include "core/message.hpp"

namespace mycelial::core::sizes {

constexpr std::size_t varint(std::uint64_t v) {
  std::size_t bytes = 1;
  for (; v >= 128; v >>= 7) ++bytes;
  return bytes;
}
constexpr std::size_t stream(const Stream& s) {
  return 16 + varint(s.scope) + varint(s.priority_class);
}
constexpr std::size_t tip(const Stream& s, const Tip& t) {
  return stream(s) + varint(t.seq) + 16;
}
constexpr std::size_t need(const WantMessage::Need& n) {
  return stream(n.stream) + varint(n.first) + varint(n.last) + varint(n.attempt);
}
constexpr std::size_t range(const ByteRange& r) {
  return varint(r.begin) + varint(r.end - r.begin);
}
constexpr std::size_t kPart = 16 + 3;  ///< A unit begun, beside its ranges.

/// Of a field of 16 bytes; of a table, beside its entries.
constexpr std::size_t kHashField = 18;
constexpr std::size_t table(std::size_t most) {
  return 1 + varint(most);
}
/// Version, site and session, and the head of the body.
constexpr std::size_t envelope(std::size_t most) {
  return 2 + kHashField + 9 + table(most);
}
/// A statement without tips: number, digest and three flags.
constexpr std::size_t have(std::size_t most) {
  return envelope(most) + 11 + kHashField + 6 + table(most);
}
/// The same that tells of members: without streams and members.
constexpr std::size_t gossip(std::size_t most) {
  return have(most) + 2 * table(most);
}
inline std::size_t stream_at(const Stream& s, std::uint64_t seq) {
  return stream(s) + varint(seq);
}
inline std::size_t member(const MemberNews& m) {
  std::size_t bytes = 16 + varint(m.beat) + varint(m.age_s) + varint(m.lacks.size());
  for (const auto& [index, seq] : m.lacks) bytes += varint(index) + varint(seq);
  return bytes;
}
/// A request without entries.
constexpr std::size_t want(std::size_t most) {
  return envelope(most) + 9 + 3 * table(most) + 2;
}
/// A comparison of lists by so many sums.
constexpr std::size_t compare(std::size_t sums, std::size_t most) {
  return envelope(most) + 2 * 9 + 2 * 8 + 2 * table(most) + 4 * sums;
}
/// A fragment without its bytes.
constexpr std::size_t frag(const UnitRef& u, const Site& sender, std::size_t most) {
  const auto number = [](std::uint64_t v) { return v == 0 ? 0 : 1 + varint(v); };
  return envelope(most) + kHashField + 2 + (u.stream.site == sender ? 0 : kHashField) +
         number(u.stream.scope) + number(u.stream.priority_class) + number(u.first) +
         number(u.last - u.first) + 2 * number(u.size) + 2 + table(most);
}

}  // namespace mycelial::core::sizes
