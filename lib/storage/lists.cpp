// SPDX-License-Identifier: Apache-2.0
// The list of overruled values, told to peers whose list is another one. The session says when.
#include <bit>
#include <functional>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::size_t kWriteBytes = 1 << 20;  // gathered before they go to the file

/// Equal on all replicas for equal entries.
std::uint64_t hash_of(const core::Overruled& o) {
  Bytes at;
  put_varint(at, o.at_ms);
  const auto hash = hash_parts({"mycelial listed 1", lower_case(o.table), o.identity, o.column,
                                o.kind, o.value, o.winner, o.rule, at});
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i) out |= std::uint64_t{hash.bytes[i]} << (8 * i);
  return out;
}

/// Which of so many parts (a power of two) the entry is in: its highest bits.
std::size_t part_of(std::uint64_t hash, std::size_t parts) {
  return parts < 2 ? 0 : hash >> (64 - std::countr_zero(parts));
}

}  // namespace

/// The entries that are not older than this, with their hashes.
void StoreImpl::for_each_hashed(
    std::uint64_t since_ms,
    const std::function<void(const core::Overruled&, std::uint64_t)>& give) {
  for_each_overruled([&](const core::Overruled& o) {
    if (o.at_ms >= since_ms) give(o, hash_of(o));
  });
}

/// When it is full, others may list more of the time of its oldest entry.
core::ListSum StoreImpl::list() {
  if (list_sum_) return *list_sum_;
  core::ListSum out;
  const Status status = read_only([&] {
    if (!Meta::exists(db_)) return;
    const auto kept = db_.integer("SELECT count(*) FROM mycelial_conflict");
    if (static_cast<std::uint64_t>(kept) >= conflicts_max()) {
      out.since_ms =
          static_cast<std::uint64_t>(db_.integer("SELECT min(at) FROM mycelial_conflict")) + 1;
    }
    for_each_hashed(out.since_ms,
                    [&](const core::Overruled&, std::uint64_t hash) { out.sum += hash; });
  });
  if (status.ok()) list_sum_ = out;
  return out;
}

std::vector<std::uint32_t> StoreImpl::list_parts(std::size_t most, std::uint64_t since_ms) {
  std::vector<std::uint32_t> out;
  (void)read_only([&] {
    const auto entries = db_.integer("SELECT count(*) FROM mycelial_conflict");
    out = sums_of(std::min(most, std::bit_ceil(static_cast<std::size_t>(entries))), since_ms);
  });
  return out;
}

std::vector<std::uint32_t> StoreImpl::sums_of(std::size_t parts, std::uint64_t since_ms) {
  std::vector<std::uint32_t> out(parts);
  for_each_hashed(since_ms, [&](const core::Overruled&, std::uint64_t hash) {
    out[part_of(hash, parts)] += static_cast<std::uint32_t>(hash);
  });
  return out;
}

Result<core::UnitRef> StoreImpl::list_unit(std::span<const std::uint32_t> sums,
                                           std::uint64_t since_ms) {
  core::UnitRef ref;
  const Status status = read_only([&] {
    const auto ours = sums_of(sums.size(), since_ms);
    core::Header header;
    header.kind = core::UnitKind::list;
    header.stream = meta_.own_stream();
    ScratchFile file(files_, "list-body");
    codec::BodyWriter body;
    for_each_hashed(since_ms, [&](const core::Overruled& o, std::uint64_t hash) {
      const auto part = part_of(hash, sums.size());
      if (ours[part] == sums[part]) return;
      body.add_overruled(o);
      if (body.finished_bytes() > kWriteBytes) file.append(body.take());
    });
    file.append(body.finish());
    ref = keep_unit(header, file, "list");
  });
  if (!status.ok()) return status;
  if (!list_unit_.is_zero() && list_unit_ != ref.id) files_.remove(list_unit_);
  list_unit_ = ref.id;
  return ref;
}

void StoreImpl::add_to_list(ByteView body) {
  codec::BodyReader reader(body, [](const Hash&) { return nullptr; });
  for (;;) {
    const auto item = reader.next();
    if (!item.ok()) throw StorageError(Errc::corrupt, std::string(item.status().message()));
    if (!*item) return;
    const auto& listed = (*item)->overruled;
    if (!listed) throw StorageError(Errc::corrupt, "a list of conflicts holds something else");
    note_conflict(table_number(db_, listed->table), *listed);
  }
}

}  // namespace mycelial::storage
