// SPDX-License-Identifier: Apache-2.0
// The tail: sealed sets kept for peers that are behind; and units on their way in.
#include <fmt/format.h>

#include <algorithm>

#include "codec/codec.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::size_t kInline = 64 * 1024;              // larger sets lie in files
constexpr std::uint64_t kTailBytes = 16 * 1024 * 1024;  // kept at least, unless the file is large
constexpr std::uint64_t kAckedBytes = 1024 * 1024;      // the same of sets that all members have

core::UnitRef set_ref(const Statement& s, const core::Stream& stream) {
  core::UnitRef ref;
  ref.order = s.number(0);
  ref.kind = s.number(1) == s.number(2) ? core::UnitKind::set : core::UnitKind::fold;
  ref.stream = stream;
  ref.first = s.number(1);
  ref.last = s.number(2);
  ref.id = Hash::from(s.blob(3));
  ref.size = s.number(4);
  return ref;
}

bool is_unit(ByteView bytes, const Hash& id) {
  const auto unit = codec::decode_unit(bytes);
  return unit.ok() && unit->id == id;
}

}  // namespace

core::UnitRef StoreImpl::keep_set(const core::Header& h, const Hash& id, ByteView bytes) {
  core::UnitRef ref{id, h.kind, h.stream, h.first, h.last, bytes.size(), 0};
  const bool apart = bytes.size() > kInline;
  if (apart) files_.save(id, bytes, options_.synchronous_full);
  Statement& s = db_.cached(
      "INSERT INTO mycelial_set(stream, first, last, hash, size, data) VALUES(?1, ?2, "
      "?3, ?4, ?5, ?6)");
  s.bind(1, meta_.origin_of(h.stream)).bind(2, h.first).bind(3, h.last).bind_blob(4, id.view());
  s.bind(5, static_cast<std::uint64_t>(bytes.size()));
  if (apart) {
    s.bind_null(6);
  } else {
    s.bind_blob(6, bytes);
  }
  s.run();
  ref.order = static_cast<std::uint64_t>(db_.last_rowid());
  if (tail_bytes_ && ref.order == tail_newest_ + 1) {
    *tail_bytes_ += bytes.size();
    tail_newest_ = ref.order;
  }
  return ref;
}

/// 5 % of the file, or this if it is more.
std::uint64_t StoreImpl::share_of_file(std::uint64_t least) {
  const auto file = static_cast<std::uint64_t>(db_.integer("PRAGMA page_count")) *
                    static_cast<std::uint64_t>(db_.integer("PRAGMA page_size"));
  return std::max(least, file / 20);
}

std::uint64_t StoreImpl::tail_limit() {
  return options_.tail_bytes_max ? options_.tail_bytes_max : share_of_file(kTailBytes);
}

/// Of sets that all members have: for a file that is a copy, or was restored.
std::uint64_t StoreImpl::acked_limit() {
  return options_.acked_bytes_max ? *options_.acked_bytes_max : share_of_file(kAckedBytes);
}

void StoreImpl::trim_tail() {
  // Counted again only if another process has sealed meanwhile.
  const auto newest = static_cast<std::uint64_t>(db_.integer("SELECT max(ord) FROM mycelial_set"));
  if (!tail_bytes_ || newest != tail_newest_) {
    tail_bytes_ = static_cast<std::uint64_t>(db_.integer("SELECT sum(size) FROM mycelial_set"));
    tail_newest_ = newest;
  }
  std::uint64_t& bytes = *tail_bytes_;
  const auto limit = tail_limit();
  while (bytes > limit) {
    Use oldest(db_, "SELECT ord, first, last, hash, size FROM mycelial_set ORDER BY ord LIMIT 1");
    if (!oldest->step()) return;
    const auto order = oldest->number(0);
    const Hash id = Hash::from(oldest->blob(3));
    bytes -= std::min(bytes, oldest->number(4));
    oldest->reset();
    Use(db_, "DELETE FROM mycelial_set WHERE ord = ?1")->bind(1, order).run();
    files_.remove(id);
  }
}

std::optional<Hash> StoreImpl::hash_at(const core::Stream& stream, std::uint64_t seq) const {
  const auto it = have().find(stream);
  if (it == have().end() || seq > it->second.seq) return std::nullopt;
  if (it->second.seq == seq) return it->second.hash;
  std::optional<Hash> out;
  const auto origin = meta_.find_origin(stream);
  (void)guard([&] {
    Use s(db_, "SELECT hash FROM mycelial_set WHERE stream = ?1 AND last = ?2 AND first = ?2");
    if (s->bind(1, *origin).bind(2, seq).step()) out = Hash::from(s->blob(0));
  });
  return out;
}

std::optional<std::vector<core::UnitRef>> StoreImpl::tail(const core::Stream& stream,
                                                          std::uint64_t first,
                                                          std::uint64_t last) const {
  const auto origin = meta_.find_origin(stream);
  if (!origin || first > last) return std::nullopt;
  std::vector<core::UnitRef> out;
  std::uint64_t next = first;
  const Status status = guard([&] {
    Statement s(
        db_,
        "SELECT ord, first, last, hash, size, data IS NULL FROM mycelial_set WHERE stream = "
        "?1 AND last >= ?2 ORDER BY last LIMIT 4096");
    s.bind(1, *origin).bind(2, first);
    while (s.step() && next <= last) {
      const auto ref = set_ref(s, stream);
      if (ref.first > next) break;
      const bool gone = s.integer(5) != 0 && !files_.map(ref.id);
      if (gone || damaged_.contains(ref.id)) break;  // only a cut helps
      out.push_back(ref);
      next = ref.last + 1;
    }
  });
  if (!status.ok() || out.empty()) return std::nullopt;
  return out;
}

/// Those whose bytes are not what they were.
std::vector<core::UnitRef> StoreImpl::damaged_sets() {
  std::vector<core::UnitRef> out;
  Statement s(db_, "SELECT ord, first, last, hash, size, stream, data FROM mycelial_set");
  while (s.step()) {
    const auto ref = set_ref(s, meta_.stream_of(static_cast<core::Origin>(s.number(5))));
    if (!s.is_null(6)) {
      if (!is_unit(s.blob(6), ref.id)) out.push_back(ref);
    } else if (const auto file = files_.map(ref.id); file && !is_unit(file->view(), ref.id)) {
      out.push_back(ref);
    }
  }
  return out;
}

/// A set that rotted is noticed before its first byte goes out; whoever wants it gets a cut.
Result<Bytes> StoreImpl::read(const core::UnitRef& unit, std::uint64_t offset,
                              std::size_t size) const {
  Bytes out;
  const Status status = guard([&] {
    const auto part = [&](ByteView all) {
      if (offset == 0 && core::holds_sets(unit.kind) && !is_unit(all, unit.id)) {
        damaged_.insert(unit.id);
        throw StorageError(Errc::corrupt, "a kept change set is damaged");
      }
      out = offset < all.size() ? all.substr(offset, size) : ByteView();
    };
    if (core::holds_sets(unit.kind)) {
      const auto origin = meta_.find_origin(unit.stream);
      Use s(db_.cached(
          "SELECT data FROM mycelial_set WHERE stream = ?1 AND last = ?2 AND hash = ?3"));
      s->bind(1, origin.value_or(0)).bind(2, unit.last).bind_blob(3, unit.id.view());
      if (s->step() && !s->is_null(0)) return part(s->blob(0));
    }
    const auto file = files_.map(unit.id);
    if (!file) throw StorageError(Errc::not_found, "the unit has left the tail");
    part(file->view());
  });
  if (!status.ok()) return status;
  return out;
}

Status StoreImpl::stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) {
  return guard([&] {
    const Status status = staging_.add(unit, offset, bytes);
    if (!status.ok()) throw StorageError(status.code(), std::string(status.message()));
  });
}
std::vector<core::ByteRange> StoreImpl::missing(const core::UnitRef& unit) const {
  return staging_.missing(unit);
}
std::vector<core::UnitRef> StoreImpl::staged() const {
  return staging_.list();
}
void StoreImpl::drop_staged(const Hash& unit) {
  staging_.drop(unit);
}

}  // namespace mycelial::storage
