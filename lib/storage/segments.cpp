// SPDX-License-Identifier: Apache-2.0
#include "storage/segments.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mycelial::storage {
namespace {

constexpr std::size_t kRowsPerSegment = 256;
constexpr std::size_t kCachedSegments = 512;  // decoded, at most about 100 bytes x 512 rows each
constexpr std::uint64_t kFar = std::uint64_t{1} << 62;

/// Distance to the next rowid, with a flag in the lowest bit. Rowids may lie 2^64 apart.
void put_step(Bytes& out, std::uint64_t step, bool flag) {
  put_varint(out, std::min(step, kFar) << 1 | (flag ? 1 : 0));
  if (step >= kFar) put_varint(out, step);
}

std::uint64_t get_step(ByteReader& in, bool& flag) {
  const auto head = in.varint();
  flag = head & 1;
  return head >> 1 >= kFar ? in.varint() : head >> 1;
}

}  // namespace

/// Decoded. Rows are sorted by rowid; each points at a shape and at its times.
struct Segments::Segment {
  struct Row {
    std::int64_t rowid = 0;
    std::uint32_t shape = 0;
    core::Hlc time = 0;                 // of the first write
    std::vector<core::Hlc> more_times;  // of the others (rare)
    bool is_hidden = false;
    LocalIdentity hidden;
  };
  std::uint32_t table = 0;
  std::int64_t first = 0;  // key on disk: lower bound of the range it is responsible for
  std::int64_t end = std::numeric_limits<std::int64_t>::max();  // upper bound, inclusive
  bool on_disk = false, dirty = false;
  std::vector<Bytes> shapes;
  std::vector<Row> rows;

  std::vector<Row>::iterator at(std::int64_t rowid) {
    if (!rows.empty() && rows.back().rowid < rowid) return rows.end();
    return std::lower_bound(rows.begin(), rows.end(), rowid,
                            [](const Row& r, std::int64_t id) { return r.rowid < id; });
  }
  std::uint32_t shape_number(const Bytes& shape) {
    for (std::size_t i = shapes.size(); i-- > 0;) {
      if (shapes[i] == shape) return static_cast<std::uint32_t>(i);
    }
    shapes.push_back(shape);
    return static_cast<std::uint32_t>(shapes.size() - 1);
  }
  Bytes encode();
  void decode(ByteView in);
};

Bytes Segments::Segment::encode() {
  std::vector<std::uint32_t> renumber(shapes.size(), std::numeric_limits<std::uint32_t>::max());
  std::vector<const Bytes*> used;
  for (const auto& r : rows) {
    if (renumber[r.shape] != std::numeric_limits<std::uint32_t>::max()) continue;
    renumber[r.shape] = static_cast<std::uint32_t>(used.size());
    used.push_back(&shapes[r.shape]);
  }
  Bytes out;
  put_varint(out, rows.size());
  put_varint(out, used.size());
  for (const auto* shape : used) put_prefixed(out, *shape);
  Row before;
  for (const auto& r : rows) {
    const bool same = &r != rows.data() && r.shape == before.shape &&
                      r.is_hidden == before.is_hidden && r.hidden.origin == before.hidden.origin &&
                      r.more_times.empty();
    put_step(out, static_cast<std::uint64_t>(r.rowid) - static_cast<std::uint64_t>(before.rowid),
             !same);
    if (!same) {
      put_varint(out, static_cast<std::uint64_t>(renumber[r.shape]) << 1 | (r.is_hidden ? 1 : 0));
      if (r.is_hidden) put_varint(out, r.hidden.origin);
      put_varint(out, r.more_times.size());
      for (const auto t : r.more_times) put_varint(out, t);
    }
    put_varint(out, zigzag(static_cast<std::int64_t>(r.time - before.time)));
    if (r.is_hidden) {
      put_varint(out, zigzag(static_cast<std::int64_t>(r.hidden.number - before.hidden.number)));
      out.append(reinterpret_cast<const char*>(&r.hidden.random), 4);
    }
    before.rowid = r.rowid;
    before.shape = r.shape;
    before.time = r.time;
    before.is_hidden = r.is_hidden;
    before.hidden = r.hidden;
  }
  return out;
}

void Segments::Segment::decode(ByteView in_bytes) {
  ByteReader in(in_bytes);
  const auto count = std::min<std::uint64_t>(in.varint(), in.left());
  shapes.resize(std::min<std::uint64_t>(in.varint(), in.left()));
  for (auto& shape : shapes) shape = in.prefixed();
  rows.resize(count);
  Row before;
  for (auto& r : rows) {
    bool spelled = false;
    r.rowid =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(before.rowid) + get_step(in, spelled));
    r.shape = before.shape;
    r.is_hidden = before.is_hidden;
    r.hidden.origin = before.hidden.origin;
    if (spelled) {
      const auto shape = in.varint();
      r.shape = static_cast<std::uint32_t>(shape >> 1);
      r.is_hidden = shape & 1;
      r.hidden.origin = r.is_hidden ? static_cast<core::Origin>(in.varint()) : 0;
      r.more_times.resize(std::min<std::uint64_t>(in.varint(), in.left()));
      for (auto& t : r.more_times) t = in.varint();
    }
    r.time = before.time + static_cast<core::Hlc>(unzigzag(in.varint()));
    if (r.is_hidden) {
      r.hidden.number = before.hidden.number + static_cast<std::uint64_t>(unzigzag(in.varint()));
      const ByteView random = in.bytes(4);
      if (random.size() == 4) std::memcpy(&r.hidden.random, random.data(), 4);
    }
    before.rowid = r.rowid;
    before.shape = r.shape;
    before.time = r.time;
    before.is_hidden = r.is_hidden;
    before.hidden = r.hidden;
    if (!in.ok() || r.shape >= shapes.size()) {
      throw StorageError(Errc::corrupt, "mycelial_segment is damaged; run mycelial check");
    }
  }
}

/// Where hidden identities (origin, 256 consecutive numbers) are: rowids.
struct Segments::IdentBlock {
  struct Named {
    std::uint64_t number = 0;
    std::uint32_t random = 0;
    std::int64_t rowid = 0;
  };
  bool on_disk = false, dirty = false;
  std::vector<Named> named;  // sorted by (number, random)
};

Segments::Segments(Connection& db)
    : db_(db),
      load_(db,
            "SELECT first, data FROM mycelial_segment WHERE tbl = ?1 AND first <= ?2 "
            "ORDER BY first DESC LIMIT 1"),
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
  Statement after(db_, "SELECT min(first) FROM mycelial_segment WHERE tbl = ?1 AND first > ?2");
  after.bind(1, table).bind(2, rowid);
  if (after.step() && !after.is_null(0)) fresh->end = after.integer(0) - 1;
  // Segments split in the cache may not be on disk yet.
  if (next != cache_.end() && next->first.first == table) {
    fresh->end = std::min(fresh->end, next->first.second - 1);
  }
  auto& slot = cache_[{table, fresh->first}];
  slot = std::move(fresh);
  return *(last_ = slot.get());
}

std::optional<RowEntry> Segments::find(std::uint32_t table, std::int64_t rowid) {
  auto& s = segment_for(table, rowid);
  const auto r = s.at(rowid);
  if (r == s.rows.end() || r->rowid != rowid) return std::nullopt;
  RowEntry out;
  out.rowid = rowid;
  out.state.shape = s.shapes[r->shape];
  out.state.times.push_back(r->time);
  out.state.times.insert(out.state.times.end(), r->more_times.begin(), r->more_times.end());
  if (r->is_hidden) out.hidden = r->hidden;
  return out;
}

void Segments::put(std::uint32_t table, const RowEntry& entry) {
  auto& s = segment_for(table, entry.rowid);
  auto r = s.at(entry.rowid);
  if (r == s.rows.end() || r->rowid != entry.rowid) {
    r = s.rows.insert(r, Segment::Row{});
    r->rowid = entry.rowid;
  } else if (r->is_hidden && (!entry.hidden || *entry.hidden != r->hidden)) {
    unname(table, r->hidden);
  }
  r->shape = s.shape_number(entry.state.shape);
  r->time = entry.state.times.empty() ? 0 : entry.state.times.front();
  r->more_times.assign(entry.state.times.begin() + (entry.state.times.empty() ? 0 : 1),
                       entry.state.times.end());
  if (entry.hidden && (!r->is_hidden || r->hidden != *entry.hidden)) {
    name(table, *entry.hidden, entry.rowid);
  }
  r->is_hidden = entry.hidden.has_value();
  r->hidden = entry.hidden.value_or(LocalIdentity{});
  s.dirty = true;
  if (s.rows.size() > 2 * kRowsPerSegment) split(s);
}

void Segments::erase(std::uint32_t table, std::int64_t rowid) {
  auto& s = segment_for(table, rowid);
  const auto r = s.at(rowid);
  if (r == s.rows.end() || r->rowid != rowid) return;
  if (r->is_hidden) unname(table, r->hidden);
  s.rows.erase(r);
  s.dirty = true;
}

/// Keeps a full segment when rows are appended, else halves.
void Segments::split(Segment& s) {
  const std::size_t keep = kRowsPerSegment;
  auto upper = std::make_unique<Segment>();
  upper->table = s.table;
  upper->shapes = s.shapes;
  upper->rows.assign(std::make_move_iterator(s.rows.begin() + static_cast<std::ptrdiff_t>(keep)),
                     std::make_move_iterator(s.rows.end()));
  s.rows.resize(keep);
  upper->first = upper->rows.front().rowid;
  upper->end = s.end;
  upper->dirty = true;
  s.end = upper->first - 1;
  last_ = upper.get();
  cache_[{upper->table, upper->first}] = std::move(upper);
}

void Segments::write(Segment& s) {
  if (!s.dirty) return;
  if (s.rows.empty()) {
    if (s.on_disk) remove_.bind(1, s.table).bind(2, s.first).run();
    s.on_disk = false;
  } else {
    const Bytes data = s.encode();
    store_.bind(1, s.table).bind(2, s.first).bind_blob(3, data).run();
    s.on_disk = true;
  }
  s.dirty = false;
}

void Segments::flush() {
  for (auto& [key, s] : cache_) write(*s);
  for (auto& [key, b] : idents_) {
    if (!b->dirty) continue;
    const auto& [table, origin, block] = key;
    if (b->named.empty()) {
      if (b->on_disk) remove_ident_.bind(1, table).bind(2, origin).bind(3, block).run();
    } else {
      Bytes data;
      std::int64_t rowid = 0;
      for (const auto& n : b->named) {
        data.push_back(static_cast<char>(n.number & 0xff));
        data.append(reinterpret_cast<const char*>(&n.random), 4);
        put_varint(data, zigzag(n.rowid - rowid));
        rowid = n.rowid;
      }
      store_ident_.bind(1, table).bind(2, origin).bind(3, block).bind_blob(4, data).run();
    }
    b->on_disk = !b->named.empty();
    b->dirty = false;
  }
}

void Segments::shrink() {
  if (cache_.size() < kCachedSegments && idents_.size() < kCachedSegments) return;
  flush();
  discard();
}

void Segments::discard() {
  cache_.clear();
  idents_.clear();
  last_ = nullptr;
}

void Segments::drop_table(std::uint32_t table) {
  discard();
  for (const char* sql : {"DELETE FROM mycelial_segment WHERE tbl = ?1",
                          "DELETE FROM mycelial_ident WHERE tbl = ?1"}) {
    Statement(db_, sql).bind(1, table).run();
  }
}

Segments::IdentBlock& Segments::block_for(std::uint32_t table, const LocalIdentity& id) {
  auto& slot = idents_[{table, id.origin, id.number >> 8}];
  if (slot) return *slot;
  slot = std::make_unique<IdentBlock>();
  Use load(load_ident_);
  load->bind(1, table).bind(2, id.origin).bind(3, id.number >> 8);
  if (!load->step()) return *slot;
  slot->on_disk = true;
  ByteReader in(load->blob(0));
  std::int64_t rowid = 0;
  while (in.ok() && !in.at_end()) {
    IdentBlock::Named n;
    n.number = (id.number & ~std::uint64_t{0xff}) | in.byte();
    const ByteView random = in.bytes(4);
    if (random.size() == 4) std::memcpy(&n.random, random.data(), 4);
    rowid += unzigzag(in.varint());
    n.rowid = rowid;
    slot->named.push_back(n);
  }
  return *slot;
}

std::optional<std::int64_t> Segments::find_rowid(std::uint32_t table, const LocalIdentity& id) {
  const auto& block = block_for(table, id);
  for (const auto& n : block.named) {
    if (n.number == id.number && n.random == id.random) return n.rowid;
  }
  return std::nullopt;
}

void Segments::name(std::uint32_t table, const LocalIdentity& id, std::int64_t rowid) {
  auto& block = block_for(table, id);
  const auto less = [](const IdentBlock::Named& a, const LocalIdentity& b) {
    return std::pair(a.number, a.random) < std::pair(b.number, b.random);
  };
  auto it = std::lower_bound(block.named.begin(), block.named.end(), id, less);
  if (it != block.named.end() && it->number == id.number && it->random == id.random) {
    it->rowid = rowid;
  } else {
    block.named.insert(it, {id.number, id.random, rowid});
  }
  block.dirty = true;
}

void Segments::unname(std::uint32_t table, const LocalIdentity& id) {
  auto& block = block_for(table, id);
  block.dirty |= std::erase_if(block.named, [&](const IdentBlock::Named& n) {
                   return n.number == id.number && n.random == id.random;
                 }) > 0;
}

std::vector<std::int64_t> Segments::firsts(std::uint32_t table) {
  flush();
  std::vector<std::int64_t> out;
  Statement s(db_, "SELECT first FROM mycelial_segment WHERE tbl = ?1 ORDER BY first");
  s.bind(1, table);
  while (s.step()) out.push_back(s.integer(0));
  return out;
}

std::vector<RowEntry> Segments::entries(std::uint32_t table, std::int64_t first) {
  Segment segment;
  segment.first = first;
  Statement s(db_, "SELECT data FROM mycelial_segment WHERE tbl = ?1 AND first = ?2");
  s.bind(1, table).bind(2, first);
  if (s.step()) segment.decode(s.blob(0));
  std::vector<RowEntry> out;
  for (auto& r : segment.rows) {
    RowEntry e;
    e.rowid = r.rowid;
    e.state.shape = segment.shapes[r.shape];
    e.state.times.push_back(r.time);
    e.state.times.insert(e.state.times.end(), r.more_times.begin(), r.more_times.end());
    if (r.is_hidden) e.hidden = r.hidden;
    out.push_back(std::move(e));
  }
  return out;
}

}  // namespace mycelial::storage
