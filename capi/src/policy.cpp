// SPDX-License-Identifier: Apache-2.0
// Merge policies: choosing them, and those that the host brings.
#include <stdexcept>

#include "handles.hpp"

using namespace mycelial;
using namespace mycelial::capi;

struct mycelial_merged {
  SqlValue value;
};

namespace {

mycelial_value borrow(const SqlValue& v) noexcept {
  mycelial_value out{};
  out.type = static_cast<std::uint32_t>(v.type);
  out.integer = v.integer;
  out.real = v.real;
  out.bytes = v.bytes.data();
  out.size = v.bytes.size();
  return out;
}

mycelial_policy_version borrow(const PolicyVersion& v) noexcept {
  mycelial_policy_version out{};
  out.struct_size = sizeof out;
  out.value = borrow(v.value);
  out.time_ms = v.time_ms;
  out.site = v.site.c_str();
  return out;
}

class HostPolicy final : public MergePolicy {
 public:
  HostPolicy(std::string name, mycelial_merge_fn fn, std::shared_ptr<Context> context)
      : name_(std::move(name)), merge_(fn), context_(std::move(context)) {}

  std::string name() const override { return name_; }
  SqlValue merge(const PolicyVersion& a, const PolicyVersion& b) const override {
    mycelial_error error{};
    mycelial_merged out;
    const auto x = borrow(a);
    const auto y = borrow(b);
    const auto code = merge_(context_->get(), &x, &y, &out, &error);
    error.message[sizeof error.message - 1] = '\0';
    if (code != MYCELIAL_OK) throw std::runtime_error(error.message);
    return std::move(out.value);
  }

 private:
  const std::string name_;
  const mycelial_merge_fn merge_;
  const std::shared_ptr<Context> context_;
};

}  // namespace

extern "C" {

mycelial_code mycelial_policy_new(const char* name, mycelial_merge_fn merge, void* context,
                                  void (*destroy)(void* context), mycelial_policy** out,
                                  mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    auto owned = own_context(context, destroy);
    if (name == nullptr) return null_argument("name");
    if (merge == nullptr) return null_argument("merge");
    if (out == nullptr) return null_argument("out");
    give(out, mycelial_policy{std::make_shared<HostPolicy>(name, merge, std::move(owned))});
    return {};
  });
}

void mycelial_policy_free(mycelial_policy* policy) noexcept {
  delete policy;
}

void mycelial_merged_set(mycelial_merged* out, const mycelial_value* value) noexcept {
  if (out == nullptr || value == nullptr) return;
  guard_silent([&] {
    const bool known = value->type <= static_cast<std::uint32_t>(SqlValue::Type::blob);
    SqlValue v;
    v.type = known ? static_cast<SqlValue::Type>(value->type) : SqlValue::Type::null;
    v.integer = value->integer;
    v.real = value->real;
    if (value->bytes != nullptr) v.bytes.assign(value->bytes, value->size);
    out->value = std::move(v);
  });
}

mycelial_code mycelial_set_policy(mycelial_replica* replica, const char* table, const char* column,
                                  const char* policy, mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    if (table == nullptr) return null_argument("table");
    if (policy == nullptr) return null_argument("policy");
    return replica->replica->set_policy(table, column == nullptr ? "" : column, policy);
  });
}

mycelial_code mycelial_get_policies(mycelial_replica* replica, mycelial_policies** out,
                                    mycelial_error* error) noexcept {
  return open_cursor(replica, out, error, [](Replica& r) { return r.policies(); });
}

int mycelial_policies_next(mycelial_policies* cursor, mycelial_policy_info* out) noexcept {
  return next_of(cursor, out, [](const PolicyInfo& from) {
    mycelial_policy_info entry{};
    entry.known = from.known ? 1 : 0;
    entry.table = from.table.c_str();
    entry.column = from.column.c_str();
    entry.policy = from.policy.c_str();
    return entry;
  });
}

void mycelial_policies_free(mycelial_policies* cursor) noexcept {
  delete cursor;
}

}  // extern "C"
