// SPDX-License-Identifier: Apache-2.0
// Every small history. A history is a partial order: each statement is made by a site that has
// seen some of the statements before it. A replica's state after any set of them that is closed
// under "had seen" is kept; adding one more, whichever is last to arrive, must give the state kept
// for the larger set. So every order of delivery is checked without being enumerated.
#include <bit>
#include <map>
#include <optional>

#include "driver.hpp"

namespace mycelial::core::testing {
namespace {

using Group = std::uint32_t;  // statements as bits
constexpr std::int64_t kHourMs = 3'600'000;

class Enumerator {
 public:
  Enumerator(const Extent& extent, Fault fault)
      : extent_(extent), world_(static_cast<std::uint32_t>(extent.sites), fault) {}

  Coverage run() {
    Replica observer(world_, 1);
    for (Origin site = 1; site <= static_cast<Origin>(extent_.images); ++site) {
      Replica r(world_, site, skew(site));
      r.insert(1, 1);
      base_.push_back(*r.seal(true));
    }
    for (const auto& image : base_) observer.apply(image);
    states_.emplace(0, std::move(observer));
    step();
    return out_;
  }

 private:
  std::int64_t skew(Origin site) const {
    return !extent_.skewed ? 0 : site == 1 ? kHourMs : site == 2 ? -kHourMs : 0;
  }
  Group all() const { return (Group{1} << sets_.size()) - 1; }
  void complain(const std::string& what) {
    if (!out_.complaint.empty()) return;
    out_.complaint = what + " after history:";
    for (const auto& line : script_) out_.complaint += "\n  " + line;
  }

  static constexpr int kKinds = 7;
  bool act(Replica& r, int kind, std::int64_t value) {
    switch (kind) {
      case 0:
        return !r.table().contains({0, 1}) && r.upsert(1, value);
      case 1:
        return r.table().contains({0, 1}) && r.upsert(1, value);
      case 2:
        return r.update({0, 1}, kA, value);
      case 3:
        return r.remove({0, 1});
      case 4:
        return r.rekey(1, 2);
      case 5:
        return r.rekey(2, 1);
      default:
        return r.table().contains({0, 1}) && r.replace(1, value);
    }
  }

  void step() {
    if (!out_.complaint.empty()) return;
    const auto index = sets_.size();
    if (index == static_cast<std::size_t>(extent_.statements)) return leaf();
    std::vector<Group> contexts;
    for (const auto& [group, state] : states_) contexts.push_back(group);
    for (Origin site = 1; site <= static_cast<Origin>(extent_.sites); ++site) {
      if (index == 0 && site > 1 && (extent_.images == 0 || extent_.images == extent_.sites) &&
          !extent_.skewed) {
        break;  // which site is first makes no difference yet
      }
      for (const Group context : contexts) {
        if (!closed_for(site, context) || !canonical(site, context)) continue;
        for (int kind = 0; kind < kKinds; ++kind) extend(site, context, kind);
      }
    }
  }

  /// A site has seen its own statements.
  bool closed_for(Origin site, Group context) const {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (sets_[i].dot().origin == site && !(context >> i & 1)) return false;
    }
    return true;
  }
  /// Of two neighbours that had not seen each other, the one of the lower site comes first.
  bool canonical(Origin site, Group context) const {
    if (sets_.empty()) return true;
    const auto last = sets_.size() - 1;
    return (context >> last & 1) != 0 || site > sets_[last].dot().origin;
  }

  void extend(Origin site, Group context, int kind) {
    if (!out_.complaint.empty()) return;
    Replica author = states_.at(context);
    author.move_to(site, skew(site));
    if (!act(author, kind, 100 + static_cast<std::int64_t>(sets_.size()))) return;
    const Table typed = author.table();
    const auto set = author.seal();
    static constexpr const char* names[kKinds] = {"insert 1", "upsert 1", "update 1", "delete 1",
                                                  "1 -> 2",   "2 -> 1",   "replace 1"};
    script_.push_back("site " + std::to_string(site) + " having seen " + std::to_string(context) +
                      ": " + names[kind]);
    if (author.table() != typed) complain("a site's own write does not show");
    const Group mine = Group{1} << sets_.size();
    sets_.push_back(*set);
    contexts_.push_back(context);
    std::vector<Group> added;
    for (Group group = mine; group < mine * 2; ++group) {
      if (closed(group)) deliver(group), added.push_back(group);
    }
    step();
    for (const auto group : added) states_.erase(group);
    contexts_.pop_back();
    sets_.pop_back();
    script_.pop_back();
  }

  bool closed(Group group) const {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if ((group >> i & 1) && (contexts_[i] & ~group)) return false;
    }
    return true;
  }

  /// The state of a group, by every set of it that can come last.
  void deliver(Group group) {
    std::optional<Replica> state;
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      const Group before = group & ~(Group{1} << i);
      if (before == group || !closed(before)) continue;
      Replica r = states_.at(before);
      if (!r.apply(sets_[i])) complain("a set whose causes are there was not applied");
      ++out_.deliveries;
      if (!state) {
        state = std::move(r);
      } else if (essence(r.rows()) != essence(state->rows()) || r.have() != state->have()) {
        complain("the order of delivery matters: " + describe(r.table()) + "or " +
                 describe(state->table()));
      }
    }
    Replica again = *state;
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (group >> i & 1) again.apply(sets_[i]);
    }
    if (essence(again.rows()) != essence(state->rows()))
      complain("what is known was applied again");
    const Table should = meaning(world_, members(group));
    if (state->table() != should) {
      complain("shows " + describe(state->table()) + "and should " + describe(should));
    }
    states_.emplace(group, std::move(*state));
  }

  std::vector<const ChangeSet*> members(Group group) const {
    std::vector<const ChangeSet*> out;
    for (const auto& image : base_) out.push_back(&image);
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (group >> i & 1) out.push_back(&sets_[i]);
    }
    return out;
  }

  void leaf() {
    ++out_.histories;
    const std::string bad = complaint(world_, members(all()));
    if (!bad.empty()) return complain(bad);
    if (out_.histories % static_cast<std::uint64_t>(extent_.bridges_every)) return;
    Replica whole = states_.at(all()), collected = whole;
    collected.collect();
    for (const auto& [group, state] : states_) {
      folded(group, state, whole);
      for (const auto& [other, theirs] : states_) joined(group, state, other, theirs);
      cut("a cut", state, whole);
      cut("a cut by one that collects", state, collected);
      Replica forgetful = state;
      forgetful.collect();
      cut("a cut to one that collects", forgetful, whole);
      cut("a cut, both collect", forgetful, collected);
      for (std::size_t i = 0; i < sets_.size(); ++i) {
        if (!(group >> i & 1)) forgetful.apply(sets_[i]), forgetful.collect();
      }
      same("sets to one that collects", forgetful, whole);
    }
  }

  void same(const char* what, const Replica& r, const Replica& whole) {
    if (r.have() == whole.have() && r.table() == whole.table()) return;
    complain(std::string(what) + " gives " + describe(r.table()) + "instead of " +
             describe(whole.table()));
  }
  void folded(Group group, const Replica& state, const Replica& whole) {
    std::vector<const ChangeSet*> rest;
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (!(group >> i & 1)) rest.push_back(&sets_[i]);
    }
    if (rest.empty()) return;
    Replica r = state;
    if (!r.apply(fold(world_, rest))) complain("a fold of all the rest was not applied");
    if (essence(r.rows()) != essence(whole.rows())) complain("a fold differs from its sets");
    same("a fold", r, whole);
  }
  /// Two replicas join to what holds the sets of both: a birth that a side does not list and its
  /// have covers is dead.
  void joined(Group a, const Replica& x, Group b, const Replica& y) {
    Replica r = x;
    r.apply_cut(Cut{y.have(), {}, y.rows(), false});
    if (essence(r.rows()) != essence(states_.at(a | b).rows()))
      complain("two replicas do not join to their union");
  }
  void cut(const char* what, Replica to, Replica from) {
    to.apply_cut(from.cut(to.have()));
    same(what, to, from);
  }

  Extent extent_;
  World world_;
  std::vector<ChangeSet> base_, sets_;
  std::vector<Group> contexts_;  // what each statement's site had seen
  std::map<Group, Replica> states_;
  std::vector<std::string> script_;
  Coverage out_;
};

}  // namespace

Coverage exhaust(const Extent& extent, Fault fault) {
  return Enumerator(extent, fault).run();
}

}  // namespace mycelial::core::testing
