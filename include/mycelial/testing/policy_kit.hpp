// SPDX-License-Identifier: Apache-2.0
// PolicyKit: searches at random for values that show a merge policy to break a law, and makes what
// it finds small. For tests of merge policies; header only. Unstable until 1.0.
//
//   EXPECT_EQ(mycelial::testing::PolicyKit(MyPolicy()).run(), "");
//
// The laws: merge(a, b) = merge(b, a); merge(merge(a, b), c) = merge(a, merge(b, c));
// merge(a, a) = a; and the same arguments always give the same value. A merged value has the later
// time and the site of that version, as it has in a replica. Versions of one time and site are the
// same version.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mycelial/merge_policy.hpp"

namespace mycelial::testing {

/// Threads: one. Keeps a reference to the policy.
class PolicyKit {
 public:
  struct Options {
    std::uint32_t seed = 1;
    int rounds = 20'000;
    /// Values that the policy is for, to be tried besides those that SQLite has.
    std::vector<SqlValue> values;
    /// Try only `values`.
    bool only_values = false;
  };

  explicit PolicyKit(const MergePolicy& policy) : PolicyKit(policy, Options()) {}
  PolicyKit(const MergePolicy& policy, Options options)
      : policy_(policy), options_(std::move(options)), state_(options_.seed) {}

  /// Empty: no law was seen broken. Else the law and the smallest example that was found.
  std::string run() {
    if (policy_.name().empty()) return "the policy has no name";
    for (int i = 0; i < options_.rounds; ++i) {
      Triple versions{version(0), version(1), version(2)};
      if (random() % 4 == 0) versions[1].value = versions[0].value;
      for (const auto& [name, broken] : laws()) {
        if (!broken(versions)) continue;
        shrink(versions, broken);
        return name + " is broken by" + text("a", versions[0]) + text("b", versions[1]) +
               text("c", versions[2]) + why(versions);
      }
    }
    return {};
  }

 private:
  using Triple = std::array<PolicyVersion, 3>;
  using Broken = std::function<bool(const Triple&)>;

  /// Nothing: it threw.
  std::optional<PolicyVersion> merged(const PolicyVersion& a, const PolicyVersion& b) const {
    try {
      const bool a_is_later = std::pair(a.time_ms, a.site) > std::pair(b.time_ms, b.site);
      const PolicyVersion& later = a_is_later ? a : b;
      return PolicyVersion{policy_.merge(a, b), later.time_ms, later.site};
    } catch (...) {
      return {};
    }
  }
  bool differ(const std::optional<PolicyVersion>& x, const std::optional<PolicyVersion>& y) const {
    return !x || !y || !(x->value == y->value);
  }
  std::vector<std::pair<std::string, Broken>> laws() const {
    return {{"determinism",
             [this](const Triple& v) { return differ(merged(v[0], v[1]), merged(v[0], v[1])); }},
            {"idempotence", [this](const Triple& v) { return differ(merged(v[0], v[0]), v[0]); }},
            {"commutativity",
             [this](const Triple& v) { return differ(merged(v[0], v[1]), merged(v[1], v[0])); }},
            {"associativity", [this](const Triple& v) {
               const auto ab = merged(v[0], v[1]);
               const auto bc = merged(v[1], v[2]);
               return !ab || !bc || differ(merged(*ab, v[2]), merged(v[0], *bc));
             }}};
  }

  /// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014.
  std::uint64_t random() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::int64_t integer() {
    static constexpr std::array<std::int64_t, 6> kEdges{0, 1, -1, INT64_MAX, INT64_MIN, 1LL << 53};
    return random() % 3 == 0 ? kEdges[random() % kEdges.size()]
                             : static_cast<std::int64_t>(random() % 9) - 4;
  }
  SqlValue value() {
    if (!options_.values.empty() && (options_.only_values || random() % 2 == 0)) {
      return options_.values[random() % options_.values.size()];
    }
    switch (random() % 5) {
      case 0:
        return SqlValue::null();
      case 1:
        return SqlValue::of(integer());
      case 2:
        return SqlValue::of_real(static_cast<double>(integer()) / 4);
      default: {
        std::string bytes;
        for (auto n = random() % 4; n > 0; --n) {
          bytes.push_back("ab\0\xff"[random() % 4]);
        }
        return random() % 2 ? SqlValue::text(bytes) : SqlValue::blob(bytes);
      }
    }
  }
  PolicyVersion version(int site) {
    return {value(), 1'700'000'000'000 + random() % 3, std::string(32, "abc"[site])};
  }

  /// Simpler values that might do as well.
  static std::vector<SqlValue> simpler(const SqlValue& v) {
    std::vector<SqlValue> out;
    if (v.type != SqlValue::Type::null) out.push_back(SqlValue::null());
    if (v.type == SqlValue::Type::integer && v.integer != 0) {
      out.push_back(SqlValue::of(0));
      out.push_back(SqlValue::of(v.integer / 2));
    }
    if (v.type == SqlValue::Type::real && v.real != 0) {
      out.push_back(SqlValue::of_real(0));
      out.push_back(SqlValue::of_real(std::trunc(v.real / 2)));
    }
    if (!v.bytes.empty()) {
      SqlValue shorter = v;
      shorter.bytes.pop_back();
      out.push_back(shorter);
      if (v.bytes != "a") {
        shorter.bytes = "a";
        out.push_back(shorter);
      }
    }
    return out;
  }
  bool may_try(const SqlValue& value) const {
    const auto& values = options_.values;
    return !options_.only_values || std::find(values.begin(), values.end(), value) != values.end();
  }
  void shrink(Triple& versions, const Broken& broken) const {
    for (bool progress = true; progress;) {
      progress = false;
      for (auto& version : versions) {
        for (const auto& value : simpler(version.value)) {
          if (!may_try(value)) continue;
          const SqlValue before = std::exchange(version.value, value);
          progress = broken(versions) && !(value == before);
          if (progress) break;
          version.value = before;
        }
        if (progress) break;
      }
    }
  }

  std::string why(const Triple& v) const {
    try {
      (void)policy_.merge(v[0], v[1]);
      (void)policy_.merge(v[1], v[2]);
    } catch (const std::exception& e) {
      return std::string("; merge() threw: ") + e.what();
    } catch (...) {
      return "; merge() threw";
    }
    return {};
  }
  static std::string text(const SqlValue& v) {
    switch (v.type) {
      case SqlValue::Type::integer:
        return std::to_string(v.integer);
      case SqlValue::Type::real:
        return std::to_string(v.real);
      case SqlValue::Type::text:
      case SqlValue::Type::blob: {
        std::string out = v.type == SqlValue::Type::text ? "'" : "x'";
        for (const char c : v.bytes) {
          const bool plain = v.type == SqlValue::Type::text && c >= ' ' && c < 127;
          out += plain ? std::string(1, c) : hex(static_cast<unsigned char>(c));
        }
        return out + "'";
      }
      default:
        return "NULL";
    }
  }
  static std::string hex(unsigned char c) {
    static constexpr char kDigits[] = "0123456789abcdef";
    return {kDigits[c >> 4], kDigits[c & 15]};
  }
  static std::string text(const char* name, const PolicyVersion& v) {
    return std::string(" ") + name + " = " + text(v.value) + " (" + std::to_string(v.time_ms) +
           " ms, site " + v.site.substr(0, 4) + ")";
  }

  const MergePolicy& policy_;
  const Options options_;
  std::uint64_t state_;
};

}  // namespace mycelial::testing
