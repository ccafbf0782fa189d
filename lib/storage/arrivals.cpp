// SPDX-License-Identifier: Apache-2.0
// Units that have arrived whole: which of them can be applied, in what order, how many at a time.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/applier.hpp"
#include "storage/orphans.hpp"
#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

// The write lock is held for about so long, or for one unit.
constexpr std::uint64_t kBatchMs = 5;

struct BadUnit {
  core::UnitRef ref;
  Status why;
};

bool describes(const core::UnitRef& ref, const core::Header& h) {
  return ref.kind == h.kind && ref.stream == h.stream && ref.first == h.first && ref.last == h.last;
}

}  // namespace

/// Applicable now? `known`: there is nothing in it that we lack.
bool StoreImpl::ready(const core::Header& h, bool* known) const {
  const auto holds = [&](const std::pair<core::Stream, core::Tip>& dep) {
    const auto it = have().find(dep.first);
    return dep.second.seq == 0 || (it != have().end() && it->second.seq >= dep.second.seq);
  };
  if (h.kind == core::UnitKind::cut) {
    *known = std::all_of(h.have.begin(), h.have.end(), holds);
    return std::all_of(h.base.begin(), h.base.end(), holds);
  }
  if (h.kind == core::UnitKind::list) return true;
  const auto it = have().find(h.stream);
  const std::uint64_t last = it == have().end() ? 0 : it->second.seq;
  *known = h.last <= last;
  if (h.first != last + 1) return false;
  if (last > 0 && it->second.hash != h.prev) {
    throw StorageError(Errc::corrupt,
                       fmt::format("site {} has two histories: change set {} does not "
                                   "continue what we hold (a copied file?)",
                                   h.stream.site.hex(), h.first));
  }
  return std::all_of(h.deps.begin(), h.deps.end(), holds);
}

void StoreImpl::apply_unit(const codec::UnitView& unit, ByteView bytes) {
  const auto& h = unit.header;
  if (h.kind == core::UnitKind::list) return add_to_list(unit.body);
  Applier(*this, h).run(unit.body);
  if (h.kind == core::UnitKind::cut) {
    for (const auto& [stream, tip] : h.have) {
      const auto it = have().find(stream);
      if (it == have().end() || it->second.seq < tip.seq) meta_.advance(stream, tip);
    }
    for (const auto& [stream, seq] : h.floor) meta_.raise_floor(meta_.origin_of(stream), seq);
    return;
  }
  const auto origin = meta_.origin_of(h.stream);
  for (const auto& [stream, tip] : h.deps) {
    db_.cached(
           "INSERT INTO mycelial_context VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = "
           "max(seq, ?3)")
        .bind(1, origin)
        .bind(2, meta_.origin_of(stream))
        .bind(3, tip.seq)
        .run();
  }
  keep_set(h, unit.id, bytes);
  meta_.advance(h.stream, {h.last, unit.id});
}

/// Its set is not the next one of its stream, nor an earlier one.
bool StoreImpl::is_beyond(const core::UnitRef& unit) const {
  if (!core::holds_sets(unit.kind)) return false;
  const auto it = have().find(unit.stream);
  return unit.first > (it == have().end() ? 0 : it->second.seq) + 1;
}

const codec::UnitView& StoreImpl::decoded(Waiting& waiting) {
  if (waiting.unit) return *waiting.unit;
  waiting.bytes = staging_.view(waiting.ref.id);
  auto unit = codec::decode_unit(waiting.bytes.bytes);
  if (unit.ok() && unit->id != waiting.ref.id) {
    unit = Status(Errc::corrupt, "a unit does not have the hash it claims");
  } else if (unit.ok() && !describes(waiting.ref, unit->header)) {
    unit = Status(Errc::corrupt, "a unit is another one than its fragments said");
  }
  if (!unit.ok()) throw StorageError(unit.status().code(), std::string(unit.status().message()));
  return waiting.unit.emplace(std::move(*unit));
}

/// What waits, by stream; each cut or list by itself. A unit is decoded when it is new, and when
/// its turn has come: a long backlog that waits for its beginning costs nothing at each arrival.
std::vector<StoreImpl::Queue> StoreImpl::queues(
    std::vector<std::pair<core::UnitRef, Status>>& rejected) {
  std::map<Hash, Waiting> fresh;
  for (const auto& ref : staging_.unchecked()) {
    Waiting w{ref, {}, {}};
    const Status sound = guard([&] { (void)decoded(w); });
    if (sound.ok()) {
      staging_.mark_checked(ref.id);
      fresh.emplace(ref.id, std::move(w));
    } else {
      rejected.emplace_back(ref, sound);
    }
  }
  std::vector<Queue> out;
  for (const auto& ref : staging_.whole()) {
    const auto is_this = [&](const auto& bad) { return bad.first.id == ref.id; };
    if (std::ranges::any_of(rejected, is_this)) continue;
    const bool set = core::holds_sets(ref.kind);
    const bool goes_on = set && !out.empty() && out.back().front().ref.stream == ref.stream &&
                         core::holds_sets(out.back().front().ref.kind);
    if (!goes_on) out.emplace_back();
    const auto known = fresh.find(ref.id);
    out.back().push_back(known == fresh.end() ? Waiting{ref, {}, {}} : std::move(known->second));
  }
  return out;
}

/// Is there anything to write, or a unit to refuse?
bool StoreImpl::may_apply_any(std::vector<Queue>& queues) {
  bool any = false;
  for (auto& queue : queues) {
    for (auto& w : queue) {
      if (any || is_beyond(w.ref)) break;
      bool known = false;
      const Status status = guard([&] { any = ready(decoded(w).header, &known) || known; });
      any = any || !status.ok();
    }
  }
  return any;
}

/// True if it was applied. It is `done` if so, and if there is nothing new in it.
bool StoreImpl::apply_if_ready(Waiting& waiting, std::set<Hash>& done) {
  bool known = false, applied = false;
  const Status status = guard([&] {
    const auto& unit = decoded(waiting);
    const bool can = ready(unit.header, &known);
    if (known || !can) return;
    apply_unit(unit, waiting.bytes.bytes);
    const auto& h = unit.header;
    publishing_.push_back({unit.id, h.kind, h.stream, h.first, h.last, waiting.ref.size, 0});
    applied = true;
  });
  if (status.code() == Errc::corrupt || status.code() == Errc::version) {
    throw BadUnit{waiting.ref, status};
  }
  if (!status.ok()) throw StorageError(status.code(), std::string(status.message()));
  if (known || applied) done.insert(waiting.ref.id);
  return applied;
}

/// Applies what has become applicable, in any order that causality allows, until it has taken long
/// enough; then the result is true. Throws BadUnit at the first bad one.
bool StoreImpl::apply_waiting(std::vector<Queue>& queues, std::set<Hash>& done) {
  const auto end = options_.clock->monotonic_ms() + kBatchMs;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto& queue : queues) {
      for (auto& w : queue) {
        if (done.contains(w.ref.id)) continue;
        if (is_beyond(w.ref)) break;
        if (!apply_if_ready(w, done)) continue;
        if (options_.clock->monotonic_ms() >= end) return true;
        progress = true;
      }
    }
  }
  return false;
}

Result<core::Depot::Applied> StoreImpl::apply_staged() {
  Applied out;
  auto waiting = queues(out.rejected);
  std::set<Hash> done;
  bool again = false, written = false;
  Status status = read_only([&] { again = may_apply_any(waiting); });
  if (!status.ok()) return status;
  while (again) {
    again = false;
    status = write([&] {
      done.clear();
      vanished_.clear();
      seal_journal();
      try {
        out.more = apply_waiting(waiting, done);
      } catch (const BadUnit& bad) {  // everything is rolled back and done again without it
        out.rejected.emplace_back(bad.ref, bad.why);
        for (auto& queue : waiting) {
          std::erase_if(queue, [&](const Waiting& w) { return w.ref.id == bad.ref.id; });
        }
        again = true;
        throw StorageError(Errc::corrupt, "a bad unit");
      }
      Orphans(*this).care();
      if (!losers_.empty()) seal_journal();
      trim_tail();
    });
    if (!again && !status.ok()) return status;
    written = !again;
  }
  // Sets of ours made on the way here too, when columns changed or a copy was noticed.
  if (written) out.units = std::exchange(published_, {});
  for (const auto& id : done) staging_.drop(id);
  for (const auto& unit : out.units) done.erase(unit.id);
  for (const auto& queue : waiting) {
    for (const auto& w : queue) {
      if (done.contains(w.ref.id)) out.known.push_back(w.ref);
    }
  }
  for (const auto& [ref, why] : out.rejected) staging_.drop(ref.id);
  return out;
}

}  // namespace mycelial::storage
