// SPDX-License-Identifier: Apache-2.0
#include "storage/segments.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mycelial::storage {
namespace {

constexpr std::size_t kRowsPerSegment = 128;
// What SQLite keeps in a page of 4096 bytes without an overflow page: four segments fill it.
constexpr std::size_t kSegmentBytes = 980;
constexpr std::size_t kCachedSegments = 512;  // decoded, at most about 100 bytes x 512 rows each
constexpr std::uint64_t kFar = std::uint64_t{1} << 62;

/// Distance to the next rowid, with a flag in the lowest bit. Rowids may lie 2^64 apart.
char* write_step(char* to, std::uint64_t step, bool flag) {
  to = write_varint(to, std::min(step, kFar) << 1 | (flag ? 1 : 0));
  return step >= kFar ? write_varint(to, step) : to;
}

std::uint64_t get_step(ByteReader& in, bool& flag) {
  const auto head = in.varint();
  flag = head & 1;
  return head >> 1 >= kFar ? in.varint() : head >> 1;
}

StorageError damaged() {
  return {Errc::corrupt, "mycelial_segment is damaged; run mycelial check"};
}

/// Of each shape, the numbers of the last row: those of the next one are differences to them.
class LastNumbers {
 public:
  void add(std::uint32_t count) {
    places_.push_back(numbers_.size());
    numbers_.resize(numbers_.size() + count);
  }
  std::size_t size() const { return numbers_.size(); }
  std::uint64_t* of(std::uint32_t shape) { return numbers_.data() + places_[shape]; }

 private:
  std::vector<std::size_t> places_;
  std::vector<std::uint64_t> numbers_;
};

}  // namespace

/// Decoded. Rows are sorted by rowid; each points at a shape and at its numbers.
struct Segments::Segment {
  struct Row {
    std::int64_t rowid = 0;
    std::uint32_t shape = 0;
    std::uint32_t numbers = 0;  // where they begin in the pool; the shape says how many
    bool is_hidden = false;
    LocalIdentity hidden;
    std::uint32_t witness = 0;
  };
  struct Shape {
    Bytes bytes;
    std::uint32_t count = 0;  // of numbers
  };
  std::uint32_t table = 0;
  std::int64_t first = 0;  // key on disk: lower bound of the range it is responsible for
  std::int64_t end = std::numeric_limits<std::int64_t>::max();  // upper bound, inclusive
  bool on_disk = false, dirty = false;
  std::vector<Shape> shapes;
  std::vector<std::uint64_t> pool;
  std::vector<Row> rows;

  std::vector<Row>::iterator at(std::int64_t rowid) {
    if (!rows.empty() && rows.back().rowid < rowid) return rows.end();
    return std::lower_bound(rows.begin(), rows.end(), rowid,
                            [](const Row& r, std::int64_t id) { return r.rowid < id; });
  }
  std::span<const std::uint64_t> numbers_of(const Row& r) const {
    return {pool.data() + r.numbers, shapes[r.shape].count};
  }
  void set(Row& row, const RowState& state, bool is_new);
  void entry(const Row& row, RowEntry& out) const;
  void compact();
  bool has_spare_shapes() const;
  Bytes encode() const;
  void decode(ByteView in);

 private:
  std::uint32_t shape_number(const RowState& state);
};

std::uint32_t Segments::Segment::shape_number(const RowState& state) {
  const auto count = static_cast<std::uint32_t>(state.numbers.size());
  for (std::size_t i = shapes.size(); i-- > 0;) {
    if (shapes[i].count == count && shapes[i].bytes == state.shape) {
      return static_cast<std::uint32_t>(i);
    }
  }
  shapes.push_back({state.shape, count});
  return static_cast<std::uint32_t>(shapes.size() - 1);
}

void Segments::Segment::set(Row& row, const RowState& state, bool is_new) {
  const auto shape = shape_number(state);
  const bool in_place = !is_new && shapes[row.shape].count == shapes[shape].count;
  row.shape = shape;
  if (in_place) {
    std::ranges::copy(state.numbers, pool.begin() + row.numbers);
  } else {
    row.numbers = static_cast<std::uint32_t>(pool.size());
    pool.insert(pool.end(), state.numbers.begin(), state.numbers.end());
  }
}

void Segments::Segment::entry(const Row& row, RowEntry& out) const {
  out.rowid = row.rowid;
  out.state.shape = shapes[row.shape].bytes;
  const auto numbers = numbers_of(row);
  out.state.numbers.assign(numbers.begin(), numbers.end());
  out.witness = row.witness;
  out.hidden = row.is_hidden ? std::optional(row.hidden) : std::nullopt;
}

/// Drops shapes and numbers that no row uses any more.
void Segments::Segment::compact() {
  constexpr std::uint32_t kUnused = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> place(shapes.size(), kUnused);
  std::vector<Shape> used;
  std::vector<std::uint64_t> numbers;
  for (auto& r : rows) {
    const auto mine = numbers_of(r);
    const auto at = static_cast<std::uint32_t>(numbers.size());
    numbers.insert(numbers.end(), mine.begin(), mine.end());
    if (place[r.shape] == kUnused) {
      place[r.shape] = static_cast<std::uint32_t>(used.size());
      used.push_back(shapes[r.shape]);
    }
    r.numbers = at;
    r.shape = place[r.shape];
  }
  shapes = std::move(used);
  pool = std::move(numbers);
}

/// True if no row has one of the shapes any more.
bool Segments::Segment::has_spare_shapes() const {
  std::vector<char> used(shapes.size());
  for (const auto& r : rows) used[r.shape] = 1;
  return std::ranges::find(used, 0) != used.end();
}

// A row: step to its rowid; unless all as in the row before, shape and kind of identity; its
// numbers as differences to those of the row before of the same shape; its hidden identity, or what
// tells its key.
Bytes Segments::Segment::encode() const {
  Bytes out;
  put_varint(out, rows.size());
  put_varint(out, shapes.size());
  LastNumbers last;
  for (const auto& shape : shapes) {
    put_prefixed(out, shape.bytes);
    put_varint(out, shape.count);
    last.add(shape.count);
  }
  constexpr std::size_t kRowBytes = 5 * kVarintBytes + sizeof(Row::witness) + 4;  // at most
  const auto room =
      std::make_unique_for_overwrite<char[]>(rows.size() * kRowBytes + pool.size() * kVarintBytes);
  char* to = room.get();
  const Row none;
  const Row* before = &none;
  for (const auto& r : rows) {
    const bool same = before != &none && r.shape == before->shape &&
                      r.is_hidden == before->is_hidden && !r.witness == !before->witness &&
                      r.hidden.origin == before->hidden.origin;
    to = write_step(
        to, static_cast<std::uint64_t>(r.rowid) - static_cast<std::uint64_t>(before->rowid), !same);
    if (!same) {
      to = write_varint(to, static_cast<std::uint64_t>(r.shape) << 2 | (r.witness ? 2 : 0) |
                                (r.is_hidden ? 1 : 0));
      if (r.is_hidden) to = write_varint(to, r.hidden.origin);
    }
    auto* of_shape = last.of(r.shape);
    for (const auto number : numbers_of(r)) {
      to = write_varint(to, zigzag(static_cast<std::int64_t>(number - *of_shape)));
      *of_shape++ = number;
    }
    if (r.is_hidden) {
      to = write_varint(to,
                        zigzag(static_cast<std::int64_t>(r.hidden.number - before->hidden.number)));
      std::memcpy(to, &r.hidden.random, 4);
      to += 4;
    }
    if (r.witness) {
      std::memcpy(to, &r.witness, 4);
      to += 4;
    }
    before = &r;
  }
  out.append(room.get(), to);
  return out;
}

void Segments::Segment::decode(ByteView in_bytes) {
  ByteReader in(in_bytes);
  const auto count = std::min<std::uint64_t>(in.varint(), in.left());
  shapes.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  LastNumbers last;
  for (auto& shape : shapes) {
    shape.bytes = in.prefixed();
    shape.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.varint(), in.left()));
    last.add(shape.count);
    if (last.size() > in.left()) throw damaged();  // some row has each of these, in a byte or more
  }
  rows.reserve(count);
  pool.reserve(std::min<std::size_t>(in.left(), count * last.size()));
  Row r;
  bool has_witness = false;
  for (std::uint64_t n = 0; n < count; ++n) {
    bool spelled = false;
    r.rowid =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(r.rowid) + get_step(in, spelled));
    if (spelled) {
      const auto shape = in.varint();
      r.shape = static_cast<std::uint32_t>(shape >> 2);
      has_witness = shape & 2;
      r.is_hidden = shape & 1;
      if (r.is_hidden) {
        r.hidden.origin = static_cast<core::Origin>(in.varint());
      } else {
        r.hidden = {};
      }
    }
    if (!in.ok() || r.shape >= shapes.size()) throw damaged();
    r.numbers = static_cast<std::uint32_t>(pool.size());
    auto* const of_shape = last.of(r.shape);
    for (std::uint32_t i = 0; i < shapes[r.shape].count; ++i) {
      of_shape[i] += static_cast<std::uint64_t>(unzigzag(in.varint()));
      pool.push_back(of_shape[i]);
    }
    if (r.is_hidden) {
      r.hidden.number += static_cast<std::uint64_t>(unzigzag(in.varint()));
      const ByteView random = in.bytes(4);
      if (random.size() == 4) std::memcpy(&r.hidden.random, random.data(), 4);
    }
    if (has_witness) {
      const ByteView witness = in.bytes(4);
      if (witness.size() == 4) std::memcpy(&r.witness, witness.data(), 4);
    } else {
      r.witness = 0;
    }
    if (!in.ok()) throw damaged();
    rows.push_back(r);
  }
}

/// Where hidden identities that are neighbours are: rowids.
struct Segments::IdentBlock {
  struct Named {
    std::uint64_t number = 0;
    std::int64_t rowid = 0;
    auto operator<=>(const Named&) const = default;
  };
  bool on_disk = false, dirty = false;
  std::vector<Named> named;  // sorted; the row itself knows the rest of its identity
};

namespace {

template <class Named>
Named after(Named n, std::uint64_t stride) {
  n.number += stride;
  n.rowid = static_cast<std::int64_t>(static_cast<std::uint64_t>(n.rowid) + 1);
  return n;
}

/// Captured rows have consecutive numbers: 256 a block. Numbers of baseline rows are hashes: they
/// are spread over 4096 blocks.
std::uint64_t block_of(const LocalIdentity& id) {
  return id.origin == 0 ? id.number >> 52 : id.number >> 8;
}

}  // namespace

Segments::Segments(Connection& db)
    : db_(db),
      load_(db,
            "SELECT first, data FROM mycelial_segment WHERE tbl = ?1 AND first <= ?2 "
            "ORDER BY first DESC LIMIT 1"),
      after_(db, "SELECT min(first) FROM mycelial_segment WHERE tbl = ?1 AND first > ?2"),
      store_(db, "INSERT OR REPLACE INTO mycelial_segment VALUES(?1, ?2, ?3)"),
      remove_(db, "DELETE FROM mycelial_segment WHERE tbl = ?1 AND first = ?2"),
      load_ident_(db,
                  "SELECT data FROM mycelial_ident WHERE tbl = ?1 AND origin = ?2 AND block = ?3"),
      store_ident_(db, "INSERT OR REPLACE INTO mycelial_ident VALUES(?1, ?2, ?3, ?4)"),
      remove_ident_(db,
                    "DELETE FROM mycelial_ident WHERE tbl = ?1 AND origin = ?2 AND block = ?3") {}
Segments::~Segments() = default;

Segments::Segment& Segments::segment_for(std::uint32_t table, std::int64_t rowid) {
  if (last_ && last_->table == table && rowid >= last_->first && rowid <= last_->end) return *last_;
  shrink();
  auto next = cache_.upper_bound({table, rowid});
  if (next != cache_.begin()) {
    auto& s = *std::prev(next)->second;
    if (s.table == table && rowid >= s.first && rowid <= s.end) return *(last_ = &s);
  }
  auto fresh = std::make_unique<Segment>();
  fresh->table = table;
  fresh->first = std::numeric_limits<std::int64_t>::min();
  {
    Use load(load_);
    load->bind(1, table).bind(2, rowid);
    if (load->step()) {
      fresh->first = load->integer(0);
      fresh->on_disk = true;
      fresh->decode(load->blob(1));
    }
  }
  {
    Use after(after_);
    after->bind(1, table).bind(2, rowid);
    if (after->step() && !after->is_null(0)) {
      if (after->integer(0) <= rowid) throw damaged();
      fresh->end = after->integer(0) - 1;
    }
  }
  // Segments split in the cache may not be on disk yet.
  if (next != cache_.end() && next->first.first == table) {
    fresh->end = std::min(fresh->end, next->first.second - 1);
  }
  auto& slot = cache_[{table, fresh->first}];
  slot = std::move(fresh);
  return *(last_ = slot.get());
}

bool Segments::find(std::uint32_t table, std::int64_t rowid, RowEntry& out) {
  auto& s = segment_for(table, rowid);
  const auto r = s.at(rowid);
  if (r == s.rows.end() || r->rowid != rowid) return false;
  s.entry(*r, out);
  return true;
}

void Segments::put(std::uint32_t table, std::int64_t rowid, const RowState& state,
                   const std::optional<LocalIdentity>& hidden, std::uint32_t witness) {
  auto& s = segment_for(table, rowid);
  auto r = s.at(rowid);
  const bool is_new = r == s.rows.end() || r->rowid != rowid;
  if (is_new) {
    r = s.rows.insert(r, Segment::Row{});
    r->rowid = rowid;
  } else if (r->is_hidden && hidden != r->hidden) {
    unname(table, r->hidden, rowid);
  }
  s.set(*r, state, is_new);
  if (hidden && (!r->is_hidden || r->hidden != *hidden)) name(table, *hidden, rowid);
  r->is_hidden = hidden.has_value();
  r->hidden = hidden.value_or(LocalIdentity{});
  r->witness = witness;
  touch(s);
  if (s.rows.size() > 2 * kRowsPerSegment) {
    split(s, kRowsPerSegment);
  } else if (s.shapes.size() > 2 * s.rows.size() + 16 || s.pool.size() > 16 * s.rows.size() + 256) {
    s.compact();
  }
}

void Segments::erase(std::uint32_t table, std::int64_t rowid) {
  auto& s = segment_for(table, rowid);
  const auto r = s.at(rowid);
  if (r == s.rows.end() || r->rowid != rowid) return;
  if (r->is_hidden) unname(table, r->hidden, rowid);
  s.rows.erase(r);
  touch(s);
}

std::optional<std::int64_t> Segments::last(std::uint32_t table) {
  const auto& s = segment_for(table, std::numeric_limits<std::int64_t>::max());
  return s.rows.empty() ? std::nullopt : std::optional(s.rows.back().rowid);
}

/// Leaves `keep` rows; the others get a segment of their own.
void Segments::split(Segment& s, std::size_t keep) {
  auto upper = std::make_unique<Segment>();
  upper->table = s.table;
  upper->shapes = s.shapes;
  upper->pool = s.pool;
  upper->rows.assign(s.rows.begin() + static_cast<std::ptrdiff_t>(keep), s.rows.end());
  s.rows.resize(keep);
  upper->first = upper->rows.front().rowid;
  upper->end = s.end;
  s.end = upper->first - 1;
  s.compact();
  upper->compact();
  touch(*upper);
  last_ = upper.get();
  cache_[{upper->table, upper->first}] = std::move(upper);
}

void Segments::touch(Segment& s) {
  if (!s.dirty) dirty_.push_back(&s);
  s.dirty = true;
}

void Segments::touch(const IdentKey& key, IdentBlock& block) {
  if (!block.dirty) dirty_idents_.emplace_back(key, &block);
  block.dirty = true;
}

void Segments::write(Segment& s) {
  if (s.rows.empty()) {
    if (s.on_disk) remove_.bind(1, s.table).bind(2, s.first).run();
    s.on_disk = false;
  } else {
    if (s.has_spare_shapes()) s.compact();
    Bytes data = s.encode();
    while (data.size() > kSegmentBytes && s.rows.size() > 1) {
      // The last segment is full for good, once rows are appended after it.
      const bool last = s.end == std::numeric_limits<std::int64_t>::max();
      const auto fits = s.rows.size() * (kSegmentBytes - 20) / data.size();
      split(s, std::clamp<std::size_t>(last ? fits : s.rows.size() / 2, 1, s.rows.size() - 1));
      data = s.encode();
    }
    store_.bind(1, s.table).bind(2, s.first).bind_blob(3, data).run();
    s.on_disk = true;
  }
  s.dirty = false;
}

void Segments::write(const IdentKey& key, IdentBlock& b) {
  const auto& [table, origin, block] = key;
  if (b.named.empty()) {
    if (b.on_disk) remove_ident_.bind(1, table).bind(2, origin).bind(3, block).run();
  } else {
    // Runs: gap to the first number, step to its rowid, how many more rows follow one by one, and
    // how far apart their numbers are.
    Bytes data;
    IdentBlock::Named end;
    for (std::size_t i = 0, n = 0; i < b.named.size(); i += n) {
      const auto& first = b.named[i];
      n = 1;
      const auto stride = i + 1 < b.named.size() ? b.named[i + 1].number - first.number : 0;
      while (i + n < b.named.size() && b.named[i + n] == after(b.named[i + n - 1], stride)) ++n;
      put_varint(data, first.number - end.number);
      put_varint(data, zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(first.rowid) -
                                                        static_cast<std::uint64_t>(end.rowid))));
      put_varint(data, n - 1);
      if (n > 1) put_varint(data, stride);
      end = b.named[i + n - 1];
    }
    store_ident_.bind(1, table).bind(2, origin).bind(3, block).bind_blob(4, data).run();
  }
  b.on_disk = !b.named.empty();
  b.dirty = false;
}

void Segments::flush() {
  for (std::size_t i = 0; i < dirty_.size(); ++i) write(*dirty_[i]);  // writing may split
  dirty_.clear();
  for (const auto& [key, block] : dirty_idents_) write(key, *block);
  dirty_idents_.clear();
}

void Segments::shrink() {
  if (cache_.size() < kCachedSegments && idents_.size() < kCachedSegments) return;
  flush();
  discard();
}

void Segments::discard() {
  dirty_.clear();
  dirty_idents_.clear();
  cache_.clear();
  idents_.clear();
  last_ = nullptr;
  last_ident_ = nullptr;
}

void Segments::drop_table(std::uint32_t table) {
  discard();
  for (const char* sql : {"DELETE FROM mycelial_segment WHERE tbl = ?1",
                          "DELETE FROM mycelial_ident WHERE tbl = ?1"}) {
    Statement(db_, sql).bind(1, table).run();
  }
}

Segments::IdentBlock& Segments::block_for(std::uint32_t table, const LocalIdentity& id) {
  const IdentKey key{table, id.origin, block_of(id)};
  if (last_ident_ && last_ident_key_ == key) return *last_ident_;
  auto& slot = idents_[key];
  last_ident_key_ = key;
  if (slot) return *(last_ident_ = slot.get());
  slot = std::make_unique<IdentBlock>();
  last_ident_ = slot.get();
  Use load(load_ident_);
  load->bind(1, table).bind(2, id.origin).bind(3, block_of(id));
  if (!load->step()) return *slot;
  slot->on_disk = true;
  ByteReader in(load->blob(0));
  IdentBlock::Named n;
  while (!in.at_end()) {
    n.number += in.varint();
    n.rowid = static_cast<std::int64_t>(static_cast<std::uint64_t>(n.rowid) +
                                        static_cast<std::uint64_t>(unzigzag(in.varint())));
    std::uint64_t more = in.varint();
    if (!in.ok() || more > 65535) {
      throw StorageError(Errc::corrupt, "mycelial_ident is damaged; run mycelial check");
    }
    slot->named.push_back(n);
    const auto stride = more > 0 ? in.varint() : 0;
    for (; more > 0; --more) slot->named.push_back(n = after(n, stride));
  }
  return *slot;
}

bool Segments::find(std::uint32_t table, const LocalIdentity& id, RowEntry& out) {
  const auto& named = block_for(table, id).named;
  if (named.empty() || named.back().number < id.number) return false;
  const auto first = std::ranges::lower_bound(named, id.number, {}, &IdentBlock::Named::number);
  const auto last = std::ranges::upper_bound(named, id.number, {}, &IdentBlock::Named::number);
  if (last - first == 1) return find(table, first->rowid, out) && out.hidden == id;
  // Copies of a file may give one number to several rows. (find() may drop the block.)
  const std::vector<IdentBlock::Named> rows(first, last);
  return std::ranges::any_of(
      rows, [&](const auto& n) { return find(table, n.rowid, out) && out.hidden == id; });
}

void Segments::name(std::uint32_t table, const LocalIdentity& id, std::int64_t rowid) {
  auto& block = block_for(table, id);
  const IdentBlock::Named named{id.number, rowid};
  const auto it = std::ranges::lower_bound(block.named, named);
  if (it != block.named.end() && *it == named) return;
  block.named.insert(it, named);
  touch({table, id.origin, block_of(id)}, block);
}

void Segments::unname(std::uint32_t table, const LocalIdentity& id, std::int64_t rowid) {
  auto& block = block_for(table, id);
  if (std::erase(block.named, IdentBlock::Named{id.number, rowid}) > 0) {
    touch({table, id.origin, block_of(id)}, block);
  }
}

std::vector<std::int64_t> Segments::firsts(std::uint32_t table) {
  flush();
  std::vector<std::int64_t> out;
  Statement s(db_, "SELECT first FROM mycelial_segment WHERE tbl = ?1 ORDER BY first");
  s.bind(1, table);
  while (s.step()) out.push_back(s.integer(0));
  return out;
}

std::vector<RowEntry> Segments::entries_from(std::uint32_t table, std::int64_t& first) {
  {
    Statement s(db_, "SELECT min(first) FROM mycelial_segment WHERE tbl = ?1 AND first >= ?2");
    s.bind(1, table).bind(2, first);
    if (!s.step() || s.is_null(0)) return {};
    first = s.integer(0);
  }
  return entries(table, first);
}

std::vector<RowEntry> Segments::entries(std::uint32_t table, std::int64_t first) {
  Segment segment;
  segment.first = first;
  Statement s(db_, "SELECT data FROM mycelial_segment WHERE tbl = ?1 AND first = ?2");
  s.bind(1, table).bind(2, first);
  if (s.step()) segment.decode(s.blob(0));
  std::vector<RowEntry> out(segment.rows.size());
  for (std::size_t i = 0; i < out.size(); ++i) segment.entry(segment.rows[i], out[i]);
  return out;
}

}  // namespace mycelial::storage
