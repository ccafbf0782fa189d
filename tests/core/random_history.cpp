// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "driver.hpp"

namespace mycelial::core::testing {
namespace {

constexpr Origin kSitesMax = 8;
constexpr std::int64_t kHourMs = 3'600'000;

class Run {
 public:
  Run(std::uint64_t seed, Fault fault) : world_(kSitesMax, fault), rng_(seed), seed_(seed) {}

  std::string go() {
    const int sites = pick(2, 4), images = pick(0, 3);
    for (int i = 0; i < sites; ++i) {
      static constexpr std::int64_t skews[] = {0, kHourMs, -kHourMs};
      fleet_.emplace_back(world_, ++sites_, skews[i % 3]);
      if (i >= images) continue;
      for (const auto key : {1, 2}) fleet_.back().insert(key, 10 + key);
      keep(fleet_.back().seal(true));
    }
    for (int left = pick(4, 40); left > 0 && complaint_.empty(); --left) step();
    for (int round = 0; round < 2 && complaint_.empty(); ++round) meet_all();
    if (complaint_.empty()) finish();
    return complaint_;
  }

 private:
  int pick(int low, int high) { return low + static_cast<int>(rng_() % (high - low + 1)); }

  void keep(std::optional<ChangeSet> set) {
    if (set) history_[set->dot()] = std::move(*set);
  }
  void seal(Replica& r) {
    const Table before = r.table();
    keep(r.seal());
    if (r.table() != before) complain("a site's own write does not show", r);
  }
  void complain(const std::string& what, const Replica& r) {
    complaint_ = what + ", site " + std::to_string(r.site()) + ": " + describe(r.table());
  }

  std::vector<const ChangeSet*> held(const Seen& have) const {
    std::vector<const ChangeSet*> out;
    for (const auto& [dot, set] : history_) {
      if (covers(have, dot)) out.push_back(&set);
    }
    return out;
  }
  /// Convergence: the table is what the sets held mean, whatever way they came.
  void examine(const Replica& r) {
    if (!complaint_.empty() || r.pending()) return;
    const Table should = meaning(world_, held(r.have()));
    if (r.table() != should) complain("should be " + describe(should) + "diverged", r);
  }

  void statement(Replica& r) {
    world_.clock_ms += 1000;
    const std::int64_t value = ++value_;
    const int key = pick(1, 4), other = pick(1, 4);
    RowName any{0, key};
    if (!r.table().empty()) {
      any = std::next(r.table().begin(), pick(0, static_cast<int>(r.table().size()) - 1))->first;
    }
    switch (pick(0, seed_ % 3 == 0 ? 5 : 9)) {
      case 0:
        r.upsert(key, value);
        break;
      case 1:
      case 2:
        r.remove(any);
        break;
      case 3:
        r.insert(key, value);
        break;
      case 4:
        r.update(any, kA, value);
        break;
      case 5:
        r.update(any, kB, value);
        break;
      case 6:
        r.replace(key, value);
        break;
      case 7:
        r.rekey(key, other);
        break;
      case 8:
        r.swap_keys(key, other);
        break;
      default:
        r.insert_keyless(value);
    }
  }

  void step() {
    const int a = pick(0, static_cast<int>(fleet_.size()) - 1);
    const int b =
        (a + pick(1, static_cast<int>(fleet_.size()) - 1)) % static_cast<int>(fleet_.size());
    const int chance = pick(0, 99);
    if (chance < 50) {
      statement(fleet_[a]);
    } else if (chance < 60) {
      seal(fleet_[a]);
      examine(fleet_[a]);
    } else if (chance < 82) {
      send(fleet_[a], fleet_[b]);
    } else if (chance < 88) {
      seal(fleet_[a]);
      if (pick(0, 1) == 0) {
        Seen some = fleet_[a].have();  // what all members hold, or are thought to
        for (auto& seq : some) seq = static_cast<std::uint64_t>(pick(0, static_cast<int>(seq)));
        fleet_[a].collect(&some);
      } else {
        fleet_[a].collect();
      }
      examine(fleet_[a]);
    } else if (chance < 91) {
      backups_.push_back(fleet_[a]);
    } else if (chance < 94 && sites_ < kSitesMax) {
      const Replica& from =
          backups_.empty() || pick(0, 1) ? fleet_[a] : backups_[pick(0, 99) % backups_.size()];
      fleet_.push_back(from.copy_as(++sites_));
    }
  }

  void send(Replica& from, Replica& to) {
    seal(from);
    if (world_.fault != Fault::seal_after) seal(to);
    switch (pick(0, 2)) {
      case 0: {
        auto sets = from.tail();
        std::shuffle(sets.begin(), sets.end(), rng_);
        for (int round = 0; round < 2; ++round) {
          for (const auto& s : sets) to.apply(s);
        }
        break;
      }
      case 1:
        send_folded(from, to);
        break;
      default:
        to.apply_cut(from.cut(to.have()));
    }
    examine(to);
  }

  void send_folded(const Replica& from, Replica& to) {
    std::vector<const ChangeSet*> backlog;
    for (const auto* s : held(from.have())) {
      if (!covers(to.have(), s->dot())) backlog.push_back(s);
    }
    const auto size = [](const ChangeSet* s) {
      std::uint64_t n = 0;
      for (const auto seq : s->context) n += seq;
      return n;
    };
    std::stable_sort(backlog.begin(), backlog.end(),
                     [&](const auto* a, const auto* b) { return size(a) < size(b); });
    std::vector<ChangeSet> units;
    for (const auto& window : windows(world_, backlog)) units.push_back(fold(world_, window));
    std::shuffle(units.begin(), units.end(), rng_);
    for (std::size_t round = 0; round < units.size(); ++round) {
      for (const auto& u : units) to.apply(u);
    }
    if (!std::all_of(backlog.begin(), backlog.end(),
                     [&](const auto* s) { return covers(to.have(), s->dot()); })) {
      complain("folds wait for each other", to);
    }
  }

  void meet_all() {
    for (auto& a : fleet_) {
      for (auto& b : fleet_) {
        if (&a == &b || !complaint_.empty()) continue;
        send(a, b);
        b.apply_cut(a.cut(b.have()));
        keep_own(b);
        examine(b);
      }
    }
  }
  /// Sets that a site sealed while it received (a planted fault only) are history too.
  void keep_own(Replica& r) {
    if (r.pending()) seal(r);
  }

  void finish() {
    for (const auto& r : fleet_) {
      if (r.have() != fleet_[0].have()) return complain("does not hold everything", r);
      if (r.table() != fleet_[0].table()) return complain("differs from site 1", r);
    }
    complaint_ = complaint(world_, held(fleet_[0].have()));
  }

  World world_;
  std::mt19937_64 rng_;
  std::uint64_t seed_;
  std::vector<Replica> fleet_, backups_;
  Origin sites_ = 0;
  History history_;
  std::int64_t value_ = 100;
  std::string complaint_;
};

}  // namespace

std::string random_history(std::uint64_t seed, Fault fault) {
  return Run(seed, fault).go();
}

}  // namespace mycelial::core::testing
