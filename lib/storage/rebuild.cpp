// SPDX-License-Identifier: Apache-2.0
// A table that was made anew under capture: CREATE, INSERT ... SELECT, DROP, RENAME, as migration
// tools do it. Its triggers are gone and its rowids may be others. Finds for every row that the
// book knows its place in the new table; what is left over on either side was deleted or inserted
// while nobody watched.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "storage/touched.hpp"
#include "storage/triggers.hpp"

namespace mycelial::storage {

class Sealer::Rebuild {
 public:
  Rebuild(Sealer& sealer, Table& table, TableKind was)
      : sealer_(sealer),
        s_(sealer.s_),
        t_(table),
        io_(*table.io),
        id_(table.io->info().id),
        was_(was),
        time_(sealer.clock_.stamp_write(sealer.now_, sealer.now_)) {}

  void run() {
    enter_all();
    read_present();
    by_key();
    by_order();
    begin_replaced();
    if (was_there_ && kept_ == 0) return give_up();
    bury_rest();
    add_rest();
    if (io_.has_rowid()) {
      s_.segments_->flush();
      s_.segments_->drop_table(id_);
    }
    t_.buried = t_.rebuilt = true;
  }

 private:
  struct Known {
    std::size_t row = 0;  // in t_.touched
    std::int64_t place = 0;
    bool kept = false;
  };
  struct Present {
    std::int64_t slot = 0;
    std::optional<core::Identity> key;
    bool taken = false;
  };

  Touched& row(const Known& k) const { return t_.touched[k.row]; }

  /// Everything that the table showed, as the book and the journal have it.
  void enter_all() {
    if (io_.has_rowid()) {
      s_.segments_->for_each(id_, [&](const RowEntry& e) {
        sealer_.enter(t_, e.rowid);
        return true;
      });
    } else {
      for (const auto& identity : s_.shown_records(id_)) {
        sealer_.enter(t_, t_.slot_of(identity));
      }
    }
    for (std::size_t i = 0; i < t_.touched.size(); ++i) {
      auto& r = t_.touched[i];
      if (!r.slot) continue;
      known_.push_back({i, *r.slot, false});
      was_there_ |= !r.is_new && !t_.slots.at(*r.slot).in_the_way;
      hides_ |= r.hidden.has_value();
      if (r.identity.empty() && was_ == TableKind::integer_key) {
        const auto key = core::Value::of(*r.slot);
        r.identity = "K";
        put_canonical(r.identity, key, Collation::binary);
      }
      r.slot.reset();
    }
    std::ranges::sort(known_, {}, &Known::place);
  }

  void read_present() {
    std::string columns = io_.has_rowid() ? rowid_name(io_.info()) : "0";
    for (const auto k : io_.info().key) columns += ", " + quote_name(io_.info().columns[k].name);
    Statement s(s_.db_,
                fmt::format("SELECT {} FROM {} ORDER BY 1", columns, quote_name(io_.info().name)));
    std::vector<core::Value> key(io_.info().key.size());
    while (s.step()) {
      for (std::size_t i = 0; i < key.size(); ++i) key[i] = s.value(static_cast<int>(i) + 1);
      Present p;
      if (!key.empty()) p.key = key_identity(io_.info(), key);
      if (!io_.has_rowid() && !p.key) continue;
      p.slot = io_.has_rowid() ? s.integer(0) : t_.slot_of(*p.key);
      present_.push_back(std::move(p));
    }
  }

  void keep(Known& k, Present& p) {
    auto& r = row(k);
    r.slot = p.slot;
    if (r.identity.empty() && p.key) r.identity = *p.key;
    k.kept = p.taken = true;
    ++kept_;
    const auto unwatched = s_.unwatched_.find(id_);
    if (r.is_new || unwatched == s_.unwatched_.end()) return;
    for (const auto column : io_.column_ids()) {
      if (unwatched->second.test(column)) r.columns.emplace_back(column, kByNobody);
    }
  }

  void by_key() {
    std::unordered_map<ByteView, std::size_t> keys;
    std::unordered_multimap<std::uint32_t, std::size_t> witnesses;
    std::unordered_map<std::int64_t, std::size_t> places;
    for (std::size_t p = 0; p < present_.size(); ++p) {
      places.emplace(present_[p].slot, p);
      if (!present_[p].key) continue;
      keys.emplace(*present_[p].key, p);
      witnesses.emplace(key_witness(*present_[p].key), p);
    }
    const bool places_hold =
        was_ == TableKind::integer_key && io_.info().kind == TableKind::integer_key;
    for (auto& k : known_) {
      auto& r = row(k);
      if (places_hold) {
        if (const auto it = places.find(k.place); it != places.end()) keep(k, present_[it->second]);
      } else if (!r.identity.empty() && is_key_identity(r.identity)) {
        const auto it = keys.find(r.identity);
        if (it != keys.end() && !present_[it->second].taken) keep(k, present_[it->second]);
      } else if (r.witness) {
        for (auto [it, end] = witnesses.equal_range(r.witness); it != end; ++it) {
          if (present_[it->second].taken) continue;
          keep(k, present_[it->second]);
          break;
        }
      }
    }
  }

  /// Rows whose identity is ours: nothing in them says which they are, but a copy keeps their
  /// order.
  void by_order() {
    std::vector<Known*> ours;
    std::vector<Present*> there;
    for (auto& k : known_) {
      if (!k.kept && row(k).hidden) ours.push_back(&k);
    }
    const bool any = was_ == TableKind::keyless || io_.info().key.empty();
    for (auto& p : present_) {
      if (!p.taken && (any || !p.key)) there.push_back(&p);
    }
    if (ours.empty() || there.empty()) return;
    if (there.size() >= ours.size()) {  // what is more was inserted later
      for (std::size_t i = 0; i < ours.size(); ++i) keep(*ours[i], *there[i]);
    } else {
      by_content_ = true;
      kept_ += there.size();
    }
  }

  /// Rows that were replaced under the same key before: the table has fewer rows than were
  /// inserted. The old one was found by the key, but the row there is another.
  void begin_replaced() {
    const auto unplaced = std::ranges::count_if(
        known_, [&](const Known& k) { return !k.kept && row(k).is_new && !row(k).hidden; });
    if (unplaced <= std::ranges::count(present_, false, &Present::taken)) return;
    for (const auto& k : known_) {
      const auto& slot = t_.slots.at(k.place);
      if (!k.kept || !slot.in_the_way || !t_.inserts.contains(slot.intent)) continue;
      auto& r = row(k);
      r.fresh = true;
      r.last = time_;
      r.columns.clear();
    }
  }

  /// None of the rows is left: it is another table under the old name.
  void give_up() {
    t_.touched.clear();
    t_.slots.clear();
    s_.dropped_.insert(id_);
  }

  void bury_rest() {
    std::size_t lost = 0;
    for (auto& k : known_) {
      auto& r = row(k);
      if (k.kept) continue;
      lost += r.identity.empty() && !r.is_new ? 1 : 0;
      r.fresh = r.removed = true;
      r.last = time_;
    }
    if (lost == 0) return;
    s_.notes_.insert(fmt::format(
        "{} rows of {} were deleted while it was rebuilt; peers keep them, for their keys are gone",
        lost, io_.info().name));
  }

  void add_rest() {
    if (sealer_.last_number_ == 0) {
      sealer_.last_number_ =
          static_cast<std::uint64_t>(s_.db_.integer("SELECT max(jn) FROM mycelial_journal"));
    }
    for (const auto& p : present_) {
      if (p.taken) continue;
      Touched r;
      r.slot = p.slot;
      r.last = time_;
      r.fresh = true;
      r.is_new = !by_content_;
      r.number = ++sealer_.last_number_;
      s_.options_.entropy->fill(&r.random, sizeof r.random);
      if (by_content_) {
        r.hidden = content_identity(p.slot);
      } else if (io_.info().kind == TableKind::keyless ||
                 (io_.info().kind == TableKind::integer_key && hides_)) {
        r.hidden = LocalIdentity{sealer_.label_, r.number, r.random};
      }
      if (r.hidden) r.identity = s_.wire_identity(*r.hidden);
      t_.touched.push_back(std::move(r));
    }
  }

  /// The same on every site that rebuilds the table in the same way.
  LocalIdentity content_identity(std::int64_t slot) {
    Bytes content;
    if (const auto values = io_.read({slot, {}})) {
      for (const auto& v : *values) put_canonical(content, v, Collation::binary);
    }
    io_.release();
    Bytes nth;
    put_varint(nth, occurrences_[content]++);
    const Hash name = hash_parts({"mycelial rebuild 1", io_.info().wire_name, content, nth});
    LocalIdentity out;
    std::memcpy(&out.number, name.bytes.data(), 8);
    std::memcpy(&out.random, name.bytes.data() + 8, 4);
    return out;
  }

  Sealer& sealer_;
  StoreImpl& s_;
  Table& t_;
  TableIo& io_;
  const std::uint32_t id_;
  const TableKind was_;
  const core::Hlc time_;
  std::vector<Known> known_;      // by their places
  std::vector<Present> present_;  // by their slots
  std::size_t kept_ = 0;
  bool was_there_ = false;   // the book knows rows that nobody may have replaced
  bool hides_ = false;       // rows have identities of ours
  bool by_content_ = false;  // rows whose identity is ours begin a new life
  std::map<Bytes, std::uint64_t> occurrences_;
};

void Sealer::match_rebuilt() {
  for (const auto& [id, was] : s_.rebuilt_) {
    TableIo* io = s_.table(id);
    if (!io) continue;
    auto& t = tables_[id];
    t.io = io;
    Rebuild(*this, t, was).run();
  }
  s_.rebuilt_.clear();
}

}  // namespace mycelial::storage
