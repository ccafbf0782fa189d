// SPDX-License-Identifier: Apache-2.0
#include "engine/policy_adapter.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/types.hpp"

namespace mycelial::engine {
namespace {

constexpr std::size_t kNameBytesMax = 64;

SqlValue to_public(const core::Value& v) {
  using Type = core::Value::Type;
  switch (v.type) {
    case Type::integer:
      return SqlValue::of(v.integer);
    case Type::real:
      return SqlValue::of_real(v.real());
    case Type::text:
      return SqlValue::text(std::string(v.bytes));
    case Type::blob:
      return SqlValue::blob(std::string(v.bytes));
    default:
      return {};
  }
}

core::OwnedValue from_public(const SqlValue& v) {
  switch (v.type) {
    case SqlValue::Type::integer:
      return core::OwnedValue(core::Value::of(v.integer));
    case SqlValue::Type::real:
      if (std::isnan(v.real))
        throw std::invalid_argument("it gave NaN, which SQLite does not have");
      return core::OwnedValue(core::Value::of_real(v.real));
    case SqlValue::Type::text:
      return core::OwnedValue(core::Value::text(v.bytes));
    case SqlValue::Type::blob:
      return core::OwnedValue(core::Value::blob(v.bytes));
    default:
      return {};
  }
}

class Adapter final : public core::Merger {
 public:
  Adapter(std::string name, std::shared_ptr<const MergePolicy> policy)
      : name_(std::move(name)), policy_(std::move(policy)) {}

  core::OwnedValue merge(const core::Candidate& a, const core::Candidate& b) const override {
    try {
      return from_public(policy_->merge(version(a), version(b)));
    } catch (const std::exception& e) {
      throw std::runtime_error("the merge policy \"" + name_ + "\" failed: " + e.what());
    } catch (...) {
      throw std::runtime_error("the merge policy \"" + name_ + "\" failed");
    }
  }

 private:
  static PolicyVersion version(const core::Candidate& c) {
    return {to_public(c.value), core::hlc_ms(c.stamp.time), c.site.hex()};
  }

  const std::string name_;
  const std::shared_ptr<const MergePolicy> policy_;
};

bool is_name(const std::string& name) {
  const auto fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' ||
           c == '/';
  };
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, fine);
}

}  // namespace

Result<storage::Mergers> mergers_of(
    const std::vector<std::shared_ptr<const MergePolicy>>& policies) {
  storage::Mergers out;
  for (const auto& policy : policies) {
    if (!policy) return Status(Errc::invalid_argument, "a merge policy is null");
    const std::string name = policy->name();
    if (!is_name(name)) {
      return Status(Errc::invalid_argument, "a merge policy cannot be called \"" + name +
                                                "\"; use 1 to 64 of a-z 0-9 _ - . /");
    }
    const bool ours = core::policy_named(name) || name == storage::kRowAtomic ||
                      storage::orphan_policy_named(name);
    if (ours || out.contains(name)) {
      return Status(Errc::invalid_argument,
                    "there are two merge policies \"" + name + "\"; give one another name");
    }
    out[name] = std::make_shared<Adapter>(name, policy);
  }
  return out;
}

}  // namespace mycelial::engine
