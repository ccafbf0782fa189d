// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/fleet.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mycelial::test {

Fleet::Fleet(std::size_t sites, const std::string& schema, const FleetOptions& options) {
  for (std::size_t i = 0; i < sites; ++i) {
    members_.push_back(std::make_unique<Member>(
        Member{std::make_unique<Site>(world, std::string(1, static_cast<char>('a' + i)), schema),
               Oracle(schema)}));
    Site& site = *members_[i]->site;
    site.close();
    storage::StoreOptions store;
    store.retention_ms = 0;
    store.collect_every_ms = 0;
    store.collect_worth = 0;
    if (options.short_tail) store.acked_bytes_max = 0;
    site.open(store);
    EXPECT_EQ(site.sql(options.pragmas), SQLITE_OK) << sqlite3_errmsg(site.client());
    (void)run_script(site.client(), options.before_track);
    const auto tracked = site.store().track_all();
    if (!took(i, "track", tracked.status())) continue;
    for (const auto& t : *tracked) {
      if (!t.tracked) fail(i, t.name + " is not tracked: " + t.reason);
    }
    catch_up(i);  // the baseline
  }
}

/// Tells the oracle of what the store sealed by itself.
void Fleet::catch_up(std::size_t i) {
  auto& store = (*this)[i].store();
  const core::Stream own{store.site(), 0, 0};
  const auto it = store.have().find(own);
  if (it == store.have().end()) return;
  const auto units = store.tail(own, 1, it->second.seq);
  if (!units) return fail(i, "its own sets are gone");
  for (const auto& unit : *units) take(i, unit);
}

Fleet::Snapshot Fleet::snapshot(std::size_t i) {
  return {(*this)[i].image(), members_[i]->oracle};
}

std::size_t Fleet::add(const Snapshot& snapshot) {
  const std::size_t i = size();
  const std::string name(1, static_cast<char>('a' + i));
  members_.push_back(std::make_unique<Member>(
      Member{std::make_unique<Site>(world, name, snapshot.image), snapshot.oracle}));
  catch_up(i);
  return i;
}

void Fleet::restore(std::size_t i, const Snapshot& snapshot, Restore how) {
  const auto before = (*this)[i].store().site();
  (*this)[i].restore(snapshot.image, how);
  members_[i]->oracle = snapshot.oracle;
  seal(i);
  if ((*this)[i].store().site() != before) catch_up(i);
}

void Fleet::fail(std::size_t i, const std::string& what) {
  trouble_ += "site " + std::string(1, static_cast<char>('a' + i)) + ": " + what + "\n";
}

bool Fleet::took(std::size_t i, const std::string& doing, const Status& status) {
  if (!status.ok()) fail(i, doing + ": " + status.to_string());
  return status.ok();
}

/// Tells the oracle of a unit that the store made or applied.
void Fleet::take(std::size_t i, const core::UnitRef& unit) {
  auto it = units_.find(unit.id);
  if (it == units_.end()) {
    auto bytes = members_[i]->site->store().read(unit, 0, unit.size);
    if (!took(i, "read", bytes.status())) return;
    it = units_.emplace(unit.id, std::move(*bytes)).first;
  }
  members_[i]->oracle.take(it->second);
}

void Fleet::seal(std::size_t i) {
  const auto units = members_[i]->site->store().seal();
  if (!took(i, "seal", units.status())) return;
  for (const auto& unit : *units) take(i, unit);
}

void Fleet::collect(std::size_t i) {
  for (auto& member : members_) member->oracle.forgets();
  for (bool more = true; more;) {
    const auto collected = (*this)[i].store().collect();
    if (!took(i, "collect", collected.status())) return;
    more = *collected;
  }
}

std::optional<std::vector<core::UnitRef>> Fleet::lacking(std::size_t from, std::size_t to) {
  std::vector<core::UnitRef> out;
  const auto& have = (*this)[to].store().have();
  for (const auto& [stream, tip] : (*this)[from].store().have()) {
    const auto it = have.find(stream);
    const auto next = it == have.end() ? 1 : it->second.seq + 1;
    if (next > tip.seq) continue;
    const auto units = (*this)[from].store().tail(stream, next, tip.seq);
    if (!units) return std::nullopt;
    out.insert(out.end(), units->begin(), units->end());
  }
  return out;
}

void Fleet::stage(std::size_t from, std::size_t to, const core::UnitRef& unit) {
  auto it = units_.find(unit.id);
  if (it == units_.end()) {
    auto bytes = (*this)[from].store().read(unit, 0, unit.size);
    if (!took(from, "read", bytes.status())) return;
    it = units_.emplace(unit.id, std::move(*bytes)).first;
  }
  took(to, "stage", (*this)[to].store().stage(unit, 0, it->second));
}

void Fleet::apply(std::size_t to) {
  const auto applied = (*this)[to].store().apply_staged();
  if (!took(to, "apply", applied.status())) return;
  for (const auto& unit : applied->units) take(to, unit);
  for (const auto& [unit, why] : applied->rejected) took(to, "apply", why);
  if (applied->more) apply(to);
}

void Fleet::send(std::size_t from, std::size_t to, Carry how) {
  seal(from);
  const auto sets = how == Carry::sets ? lacking(from, to) : std::nullopt;
  if (!sets) {
    std::vector<std::pair<core::Stream, core::Tip>> tips((*this)[to].store().have().begin(),
                                                         (*this)[to].store().have().end());
    const auto cut = (*this)[from].store().cut(tips, {});
    if (!took(from, "cut", cut.status())) return;
    stage(from, to, *cut);
  } else {
    for (const auto& unit : *sets) stage(from, to, unit);
  }
  apply(to);
}

void Fleet::send_some(std::size_t from, std::size_t to, std::mt19937& random) {
  auto units = lacking(from, to).value_or(std::vector<core::UnitRef>());
  std::shuffle(units.begin(), units.end(), random);
  units.resize(random() % (units.size() + 1));
  for (const auto& unit : units) {
    stage(from, to, unit);
    if (random() % 2 == 0) apply(to);
  }
  apply(to);
}

void Fleet::exchange() {
  for (bool news = true; news && trouble_.empty();) {
    news = false;
    for (std::size_t i = 0; i < size(); ++i) {
      for (std::size_t j = 0; j < size(); ++j) {
        if (i == j) continue;
        seal(i);
        const auto sets = lacking(i, j);
        if (sets && sets->empty()) continue;
        news = true;
        world.clock.now += 1;
        send(i, j);
      }
    }
  }
}

void Fleet::meet() {
  exchange();
  std::string digest;
  for (std::size_t i = 0; i < size() && trouble_.empty(); ++i) {
    if (const auto wrong = audit(i); !wrong.empty()) fail(i, wrong);
    const auto own = (*this)[i].store().digest();
    if (!took(i, "digest", own.status())) return;
    if (i == 0) digest = *own;
    if (*own != digest) fail(i, "its digest differs from that of site a");
  }
}

std::string Fleet::audit(std::size_t i) {
  seal(i);
  return members_[i]->oracle.audit((*this)[i]);
}

}  // namespace mycelial::test
