// SPDX-License-Identifier: Apache-2.0
// The nouns of mycelial: sites, streams, dots, stamps, values, identities, rows, pieces of them.
// docs/merge.md defines each; lib/core/row.hpp joins rows.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace mycelial::core {

/// A database copy with an identity. All zeros is the baseline: rows found when a table was
/// tracked, which no site wrote.
struct Site {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Site&) const = default;
  bool is_baseline() const { return *this == Site{}; }
  ByteView view() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  std::string hex() const { return to_hex(view()); }
  static Site from(ByteView in);  ///< Exactly 16 bytes; anything else gives the baseline.
};

/// A first-in first-out sequence of change sets by one site.
struct Stream {
  Site site;
  std::uint32_t scope = 0;           ///< Named group of tables; version 1 has scope 0 only.
  std::uint32_t priority_class = 0;  ///< 0 is the default class, lower is more urgent.
  auto operator<=>(const Stream&) const = default;
};

/// Names a change set.
struct Dot {
  Stream stream;
  std::uint64_t seq = 0;
  auto operator<=>(const Dot&) const = default;
};

/// How far a stream has been applied: sequence number and chain hash of its last set.
struct Tip {
  std::uint64_t seq = 0;
  Hash hash;
  auto operator<=>(const Tip&) const = default;
};

/// The set of dots held. Streams are applied in order, so one tip per stream says it all.
using Have = std::map<Stream, Tip>;

/// Hybrid logical clock: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
using Hlc = std::uint64_t;
constexpr Hlc kHlcMax = (Hlc{1} << 63) - 1;  ///< Anything above is refused at decoding.
constexpr Hlc hlc_from_ms(std::uint64_t ms) {
  return ms << 16;
}
constexpr std::uint64_t hlc_ms(Hlc h) {
  return h >> 16;
}

/// A small number that stands for a Stream: an index into the dictionary that comes with a block
/// (on the wire) or the row id of mycelial_stream (on disk). 0 is always the baseline.
using Origin = std::uint32_t;

/// "Births of this origin up to seq", or one dot, depending on where it stands.
struct Mark {
  Origin origin = 0;
  std::uint64_t seq = 0;
  auto operator<=>(const Mark&) const = default;
};
using Marks = std::vector<Mark>;  ///< At most one per origin, sorted by origin.

/// An SQLite value that does not own its bytes.
struct Value {
  enum class Type : std::uint8_t {
    null = 0,
    integer = 1,
    real = 2,
    text = 3,
    blob = 4,
    in_table = 5, /* the application's table holds it */
    part = 6      /* what a merge policy keeps: core/policy/part.hpp */
  };
  Type type = Type::null;
  std::int64_t integer = 0;  ///< Also the bit pattern of a real.
  ByteView bytes;  ///< Of text, blob and part; the owner is stated where values are handed out.

  static Value null() { return {}; }
  static Value of(std::int64_t v) { return {Type::integer, v, {}}; }
  static Value of_real(double v);  ///< -0.0 becomes 0.0: SQLite holds them equal.
  static Value text(ByteView v) { return {Type::text, 0, v}; }
  static Value blob(ByteView v) { return {Type::blob, 0, v}; }
  static Value in_table() { return {Type::in_table, 0, {}}; }
  static Value part(ByteView v) { return {Type::part, 0, v}; }
  double real() const;
  friend bool operator==(const Value&, const Value&) = default;
};

/// When and by whom a cell was written. Totally ordered by (time, site of origin, seq).
struct Stamp {
  Hlc time = 0;
  Origin origin = 0;
  std::uint64_t seq = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// What several cells of a row have in common.
struct Write {
  Mark carrier;  ///< The set that brought it (an upsert carries old stamps in a new set).
  Stamp stamp;
  Marks targets;  ///< Births it was written to; it dies with the last of them.
  friend bool operator==(const Write&, const Write&) = default;
};

struct Cell {
  std::uint32_t column = 0;  ///< Index into the schema of the block, or local column id on disk.
  std::uint32_t write = 0;   ///< Index into Row::writes.
  Value value;
  friend bool operator==(const Cell&, const Cell&) = default;
};

/// What names a row on every replica. The first byte tells the kind; see identity.hpp.
using Identity = Bytes;

/// A row, or a piece of one as a change set carries it: joining pieces gives the row.
struct Row {
  Marks births;   ///< Newest birth by each origin.
  Marks dead;     ///< Births of an origin up to here are dead.
  Marks killers;  ///< Dots of the sets that killed; what a peer may lack.
  std::vector<Write> writes;
  std::vector<Cell> cells;  ///< Sorted by column; several of one column may coexist.
  void clear() {            ///< Keeps the memory.
    births.clear(), dead.clear(), killers.clear();
    writes.clear(), cells.clear();
  }
  friend bool operator==(const Row&, const Row&) = default;
};

/// The columns that a table had at its author, by name. Travels once per stream (in the first set
/// that uses it); known by its hash afterwards.
struct Schema {
  std::string table;
  std::vector<std::string> columns;
  std::vector<std::uint32_t> key;  ///< Indexes into columns, in key order; empty when keyless.
  std::vector<std::string> formerly = {};  ///< Other names of the table, before ALTER TABLE RENAME.
  struct PolicyOf {
    /// Index into columns; their number n stands for the whole table, n + 1 + i for the foreign
    /// keys that column i is part of.
    std::uint32_t column = 0;
    std::string name;
    std::uint64_t at_ms = 0;    ///< When it was chosen.
    std::uint64_t seen_ms = 0;  ///< When the one was that its maker replaced; 0: none.
    friend bool operator==(const PolicyOf&, const PolicyOf&) = default;
  };
  std::vector<PolicyOf> policies = {};  ///< Merge policies that have been chosen.
  friend bool operator==(const Schema&, const Schema&) = default;
  Hash hash() const;  ///< Of all but `formerly`.
};

struct RowPiece {
  Identity identity;
  Row row;
  friend bool operator==(const RowPiece&, const RowPiece&) = default;
};

/// A value that somebody wrote and nobody sees: listed where the two writes met, carried by cuts.
struct Overruled {
  std::string table = {};  ///< As peers know it.
  Identity identity = {};
  std::string column = {};  ///< Empty: not known here by a name, or the whole row.
  std::string kind = {};    ///< "superseded", "deleted", ...
  std::string value = {};   ///< SQL literal.
  std::string winner = {};  ///< The same; empty if there is none.
  std::string rule = {};
  std::uint64_t at_ms = 0;  ///< When it was written, milliseconds since 1970.
  friend bool operator==(const Overruled&, const Overruled&) = default;
};

enum class UnitKind : std::uint8_t { set = 1, fold = 2, cut = 3, list = 4 };

/// True if units of this kind are numbered parts of a stream.
constexpr bool holds_sets(UnitKind kind) {
  return kind == UnitKind::set || kind == UnitKind::fold;
}

/// The clear part of a unit: what relays read.
struct Header {
  UnitKind kind = UnitKind::set;
  Stream stream;                      ///< Of a set or a fold; of others: the maker's.
  std::uint64_t first = 0, last = 0;  ///< Sequence numbers covered; 0 if it holds no sets.
  Hash prev;                          ///< Chain hash of the set before `first`; zero at the start.
  std::vector<Hash> chain;            ///< Fold: the chain hashes of first..last.
  std::vector<std::pair<Stream, Tip>> deps;  ///< What the author's have gained since `first - 1`.
  std::vector<std::pair<Stream, Tip>> base;  ///< Cut: the asker's tips that it builds on.
  std::vector<std::pair<Stream, Tip>> have;  ///< Cut: what the asker will have after it.
  std::vector<std::pair<Stream, std::uint64_t>> floor;  ///< Cut: deaths up to here were collected.
  bool full = false;  ///< Cut: lists every row, so what it does not list is dead.
  std::uint64_t body_bytes = 0;
};

/// What a replica's list of conflicts is, in short.
struct ListSum {
  std::uint64_t sum = 0;       ///< Of the hashes of its entries; 0: it is empty.
  std::uint64_t since_ms = 0;  ///< Of the entries summed; older ones it may have forgotten.
  friend bool operator==(const ListSum&, const ListSum&) = default;
};

/// A unit as the session handles it.
struct UnitRef {
  Hash id;  ///< Of a set: its chain hash.
  UnitKind kind = UnitKind::set;
  Stream stream;
  std::uint64_t first = 0, last = 0;
  std::uint64_t size = 0;   ///< Bytes of the encoded unit.
  std::uint64_t order = 0;  ///< Local order of applying; grows.
};

}  // namespace mycelial::core
