// SPDX-License-Identifier: Apache-2.0
#include "random_world.hpp"

#include <algorithm>

#include "world.hpp"

namespace mycelial::core::testing {
namespace {

class Story {
 public:
  explicit Story(std::uint64_t seed) : w_(seed) {}

  Outcome tell() {
    build();
    troubles();
    w_.run(125'000);
    for (const auto& wire : w_.wires) {
      wire->set_up(true);
      wire->unblock();
    }
    for (const auto& n : w_.nodes) n->start();
    Outcome out;
    const TimeMs healed = w_.now();
    if (!w_.run(1'500'000, [&] { return w_.converged(); })) {
      out.complaint = "did not converge; " + w_.traffic();
    } else {
      out.converged_after_ms = w_.now() - healed;
      out.complaint = quiet();
    }
    for (const auto& v : w_.oracle.violations) out.complaint += "; " + v;
    for (const auto& n : w_.nodes) {
      for (const auto& r : n->reasons) out.complaint += "; " + n->name() + " closed a link: " + r;
    }
    out.trace = w_.trace;
    return out;
  }

 private:
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return *(choices.begin() + static_cast<std::ptrdiff_t>(w_.below(choices.size())));
  }
  Node& any_node() { return *w_.nodes[w_.below(w_.nodes.size())]; }
  Wire& any_wire() { return *w_.wires[w_.below(w_.wires.size())]; }

  WireModel any_model(bool group = false) {
    WireModel m;
    m.rate = one_of<std::uint64_t>({960, 10'000, 1'000'000});
    m.delay = one_of<TimeMs>({5, 300});
    m.mtu = one_of<std::size_t>({128, 200, 400, 1500, 60'000});
    m.group = group;
    m.tells = !group && w_.below(2) == 0;
    if (!m.tells) {
      m.loss = one_of({0.0, 0.0, 0.1, 0.3});
      m.dup = one_of({0.0, 0.1});
      m.jitter = one_of<TimeMs>({0, 500});
    }
    return m;
  }
  MapDepot::Limits any_limits() {
    MapDepot::Limits out;
    if (w_.below(3) == 0) out.tail_bytes = 4000;
    return out;
  }

  void build() {
    const auto n = 2 + w_.below(5);
    std::vector<Node*> all;
    for (std::uint64_t i = 0; i < n; ++i) {
      all.push_back(&w_.add(std::string(1, static_cast<char>('a' + i)), any_limits()));
    }
    const auto shape = w_.below(6);
    for (std::size_t i = 0; i < n && shape < 4; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) {
        const bool next = j == i + 1;
        if (shape == 3 || (shape == 0 && next) ||
            (shape == 1 && (next || (i == 0 && j == n - 1))) || (shape == 2 && i == 0)) {
          w_.wire({all[i], all[j]}, any_model());
        }
      }
    }
    if (shape == 4) w_.wire(all, any_model(true));
    if (shape == 5) {  // two groups that share a member
      const auto half = static_cast<std::ptrdiff_t>(n / 2);
      w_.wire({all.begin(), all.begin() + half + 1}, any_model(true));
      w_.wire({all.begin() + half, all.end()}, any_model(true));
    }
  }

  void later(TimeMs within, std::function<void()> what) { w_.at(w_.below(within), what); }

  void troubles() {
    for (auto i = 5 + w_.below(36); i > 0; --i) {
      later(60'000, [this] {
        Node& n = any_node();
        if (!n.up()) return;
        n.write(one_of<std::size_t>({50, 200, 1500}));
        for (auto more = w_.below(4); more > 0; --more) n.depot().listed.insert(w_.random());
      });
    }
    for (auto i = w_.below(4); i > 0; --i) {
      later(60'000, [this] {
        Node& n = any_node();
        n.crash();
        later(20'000, [&n] { n.start(); });
      });
    }
    for (auto i = w_.below(4); i > 0; --i) {
      later(60'000, [this] {
        Wire& wire = any_wire();
        wire.set_up(false);
        later(30'000, [&wire] { wire.set_up(true); });
      });
    }
    for (auto i = w_.below(3); i > 0; --i) {
      later(60'000, [this] { any_wire().block_some(); });
    }
    if (w_.below(3) == 0) {
      later(60'000, [this] {
        Node& beside = any_node();
        w_.wire({&w_.add("late", any_limits()), &beside}, any_model());
      });
    }
  }

  /// Nothing is left over, and hardly anything is said any more.
  std::string quiet() {
    w_.run(300'000);
    w_.forget_traffic();
    w_.run(600'000);
    for (const auto& wire : w_.wires) {
      const auto said = wire->bytes - wire->gossip_bytes;
      if (said > 40 * 60 * wire->members().size()) return "not quiet: " + w_.traffic();
      // A round now and then, at 4 bytes a second in the long run.
      if (wire->gossip_bytes > 20'000 * wire->members().size()) return "gossips: " + w_.traffic();
    }
    for (const auto& n : w_.nodes) {
      if (n->depot().staged_bytes() > 0) return "staged units are left over at " + n->name();
    }
    return {};
  }

  World w_;
};

}  // namespace

Outcome random_world(std::uint64_t seed) {
  return Story(seed).tell();
}

}  // namespace mycelial::core::testing
