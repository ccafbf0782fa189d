// SPDX-License-Identifier: Apache-2.0
// Hard limits of the wire format: what a reader refuses before it allocates, and why.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mycelial::codec {

/// Bytes of one message. Links carry frames of about 64 KiB; 16 MiB leaves room for fast ones.
constexpr std::size_t kMessageBytesMax = std::size_t{16} << 20;
/// Streams listed in one message or header; larger statements come in parts.
constexpr std::size_t kTipsMax = 65536;
/// Members that one message tells of, and what they lack, together (16 bytes of memory each).
constexpr std::size_t kMembersMax = 65536;
constexpr std::size_t kLacksMax = std::size_t{1} << 20;
/// Streams asked for in one want.
constexpr std::size_t kNeedsMax = 65536;
/// Units begun that one want lists.
constexpr std::size_t kPartsMax = 4096;
/// Missing byte ranges over all parts of one want.
constexpr std::size_t kRangesMax = 65536;
/// Points of one probe; a binary search needs far fewer.
constexpr std::size_t kPointsMax = 4096;
/// Sums of one compare.
constexpr std::size_t kSumsMax = 4096;
/// Bytes of the reason in a bye: a line for people.
constexpr std::size_t kReasonBytesMax = 4096;
/// Sets that one fold joins.
constexpr std::size_t kChainMax = 65536;
/// Bytes of a unit's header: three full lists of tips.
constexpr std::size_t kHeaderBytesMax = std::size_t{16} << 20;
/// Bytes of a unit as announced by a fragment: more than any SQLite file in the field.
constexpr std::uint64_t kUnitBytesMax = std::uint64_t{1} << 44;
/// Sequence numbers are stored as SQLite integers.
constexpr std::uint64_t kSeqMax = (std::uint64_t{1} << 63) - 1;
/// Bytes of one item of a body: a protobuf message cannot be larger.
constexpr std::uint64_t kItemBytesMax = (std::uint64_t{1} << 31) - 1;
/// Columns of a table; SQLite's default limit.
constexpr std::size_t kColumnsMax = 2000;
/// Names that a table had.
constexpr std::size_t kFormerNamesMax = 64;
/// Bytes of a table or column name; SQLite has no limit, people have.
constexpr std::size_t kNameBytesMax = 4096;
/// Rows of a block when reading; run lengths could claim billions in a few bytes.
constexpr std::size_t kBlockRowsMax = 65536;
/// Cells of a block when reading (40 bytes of memory each).
constexpr std::size_t kBlockCellsMax = std::size_t{1} << 20;
/// Births, deaths, killers and targets of a block when reading (16 bytes each).
constexpr std::size_t kBlockMarksMax = std::size_t{1} << 20;
/// Writes of a block when reading (64 bytes each).
constexpr std::size_t kBlockWritesMax = std::size_t{1} << 19;
/// Bytes of an identity: a key of long texts.
constexpr std::size_t kIdentityBytesMax = std::size_t{16} << 20;
/// Bytes of all identities of a block when reading; front coding could repeat a long one.
constexpr std::size_t kBlockIdentityBytesMax = std::size_t{64} << 20;

/// Where a writer cuts blocks, so that readers need little memory at a time.
constexpr std::size_t kCutBytes = std::size_t{128} << 10;
constexpr std::size_t kCutRows = 4096;
constexpr std::size_t kCutCells = std::size_t{1} << 17;
constexpr std::size_t kCutMarks = std::size_t{1} << 16;
constexpr std::size_t kCutWrites = std::size_t{1} << 16;
constexpr std::size_t kCutIdentityBytes = std::size_t{4} << 20;
/// Bytes that open blocks of several tables may hold together.
constexpr std::size_t kOpenBytesMax = std::size_t{4} << 20;

}  // namespace mycelial::codec
