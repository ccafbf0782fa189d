// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/stage.hpp"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "codec/codec.hpp"
#include "tests/sim/disk.hpp"
#include "tests/sim/vfs.hpp"

namespace mycelial::scenario {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::uint64_t kStepMs = 500;
constexpr int kStepsMax = 240;
constexpr int kQuietSteps = 3;  // rows that lost an automatic key are re-keyed a moment later

std::string fresh_folder() {
  std::string pattern = "/dev/shm/mycelial-scenario-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    pattern = std::filesystem::temp_directory_path().string() + "/mycelial-scenario-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder");
  }
  return pattern;
}

}  // namespace

Stage::Stage() : world_(kSeed), network_(world_, kSeed), folder_(fresh_folder()) {
  sim::install_vfs();
  sim::seed_vfs(kSeed);
  network_.on_delivery = [this](const auto&, const auto&, const std::string& bytes) {
    if (!hearing_again_) traffic_.push_back(bytes);
  };
}

Stage::~Stage() {
  network_.cut(true);  // links tell engines while there are any
  sites_.clear();
  sim::disk().clear(folder_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Site& Stage::add(const std::string& name) {
  sites_.push_back(std::make_unique<Site>(world_, network_, folder_, name));
  Site& site = *sites_.back();
  for (const auto& other : sites_) {
    if (other.get() != &site) site.peers.push_back(other->endpoint());
  }
  set_clock(site);
  block();
  return site;
}

Site* Stage::find(const std::string& name) {
  for (const auto& site : sites_) {
    if (site->name() == name) return site.get();
  }
  return nullptr;
}

void Stage::link_only(std::set<std::pair<std::string, std::string>> pairs) {
  links_ = std::move(pairs);
  block();
}

void Stage::cut(const std::vector<std::vector<std::string>>& groups) {
  for (const auto& one : groups) {
    for (const auto& other : groups) {
      if (&one == &other) continue;
      for (const auto& a : one) {
        for (const auto& b : other) cut_.insert({a, b});
      }
    }
  }
  block();
}

void Stage::heal() {
  cut_.clear();
  block();
}

bool Stage::linked(const std::string& a, const std::string& b) const {
  if (cut_.contains({a, b}) || cut_.contains({b, a})) return false;
  return !links_ || links_->contains({a, b}) || links_->contains({b, a});
}

void Stage::block() {
  for (const auto& a : sites_) {
    for (const auto& b : sites_) {
      if (a != b) network_.path(a->name(), b->name()).blocked = !linked(a->name(), b->name());
    }
  }
}

void Stage::set_clock(Site& site) {
  site.set_clock(elapsed_ms_ + site.wrong_ms);
}

void Stage::tick() {
  elapsed_ms_ += 1000;
  for (const auto& site : sites_) set_clock(*site);
}

void Stage::set_wrong(Site& site, std::int64_t offset_ms) {
  site.wrong_ms = offset_ms;
  set_clock(site);
}

void Stage::run(std::uint64_t ms) {
  world_.run(ms);
  if (!network_.fault.empty()) throw std::runtime_error(network_.fault);
}

void Stage::wait(std::uint64_t ms) {
  run(ms);
}

std::vector<std::vector<Site*>> Stage::groups() const {
  std::vector<std::vector<Site*>> out;
  std::set<Site*> placed;
  for (const auto& first : sites_) {
    if (!first->up() || !first->is_synced() || !placed.insert(first.get()).second) continue;
    std::vector<Site*> group{first.get()};
    for (std::size_t i = 0; i < group.size(); ++i) {
      for (const auto& other : sites_) {
        if (!other->up() || !other->is_synced()) continue;
        if (!linked(group[i]->name(), other->name())) continue;
        if (placed.insert(other.get()).second) group.push_back(other.get());
      }
    }
    out.push_back(std::move(group));
  }
  return out;
}

bool Stage::at_rest(const std::vector<Site*>& group) {
  for (Site* site : group) {
    if (site->has_pending() && group.size() > 1) return false;
    if (site->sets_held() != group[0]->sets_held()) return false;
  }
  return true;
}

std::string Stage::settle() {
  int quiet = 0;
  for (int step = 0; step < kStepsMax; ++step) {
    run(kStepMs);
    bool rest = true;
    for (const auto& group : groups()) rest = rest && at_rest(group);
    quiet = rest ? quiet + 1 : 0;
    if (quiet == kQuietSteps) return {};
  }
  std::string out = "the sites do not come to rest:";
  for (const auto& site : sites_) {
    if (!site->up()) continue;
    const auto status = site->on_engine([](engine::Engine& e) { return e.status(); });
    if (!status.ok()) continue;
    out += "\n  " + site->name() + " holds " + std::to_string(status->sets_held) + " sets, " +
           std::to_string(status->journal_entries) + " entries pending; " + status->last_error;
    for (const auto& note : status->notes) out += "; " + note;
  }
  return out;
}

std::string Stage::deliver(Site& from, Site& to, std::optional<std::uint64_t> sets) {
  if (!from.up() || !to.up()) return "deliver needs two sites that are up";
  const auto sealed = from.on_engine([](engine::Engine& e) { return e.seal(); });
  if (!sealed.ok()) return sealed.to_string();
  for (const auto& a : sites_) {
    for (const auto& b : sites_) network_.path(a->name(), b->name()).blocked = true;
  }
  network_.path(from.name(), to.name()).blocked = false;
  network_.path(to.name(), from.name()).blocked = false;
  std::set<Hash> passed;
  network_.lets_in = [&](const std::string& sender, const std::string& bytes) {
    const auto message = codec::decode_message(bytes);
    const auto* frag = message.ok() ? std::get_if<core::FragMessage>(&message->body) : nullptr;
    if (frag == nullptr) return true;
    if (sender != from.name()) return false;
    if (!sets || passed.contains(frag->unit.id)) return true;
    if (passed.size() == *sets) return false;
    passed.insert(frag->unit.id);
    return true;
  };
  const auto total = [&] {
    const auto status = to.on_engine([](engine::Engine& e) { return e.status(); });
    return status.ok() ? status->sets_held : 0;
  };
  const auto holds_all = [&] {
    const auto there = to.sets_held();
    const auto here = from.sets_held();
    return std::all_of(here.begin(), here.end(), [&](const auto& tip) {
      const auto found = there.find(tip.first);
      return found != there.end() && found->second.first >= tip.second.first;
    });
  };
  const std::uint64_t before = total();
  bool done = false;
  for (int step = 0; step < 4 * kStepsMax && !done; ++step) {
    run(100);
    done = sets ? total() >= before + *sets : holds_all();
  }
  network_.lets_in = nullptr;
  block();
  return done ? "" : to.name() + " got " + std::to_string(total() - before) + " sets";
}

void Stage::duplicate() {
  hearing_again_ = true;
  for (const auto& site : sites_) {
    if (site->up()) network_.inject(site->name(), traffic_);
  }
  run(5000);
  hearing_again_ = false;
}

}  // namespace mycelial::scenario
