// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "core/policy/registers.hpp"

namespace mycelial::core {
namespace {

using Type = Value::Type;

int class_of(const Value& v) {
  switch (v.type) {
    case Type::null:
      return 0;
    case Type::integer:
    case Type::real:
      return 1;
    case Type::text:
      return 2;
    default:
      return 3;
  }
}

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

/// Exact, also where a double cannot hold the integer.
int compare(std::int64_t i, double r) {
  constexpr double kTwo63 = 9223372036854775808.0;
  if (r >= kTwo63) return -1;
  if (r < -kTwo63) return 1;
  const double whole = std::trunc(r);
  const int c = order(i, static_cast<std::int64_t>(whole));
  return c != 0 ? c : order(0.0, r - whole);
}

double real_of(const Value& v) {
  return v.type == Type::real ? v.real() : static_cast<double>(v.integer);
}

std::uint64_t bits(const Value& v) {
  return static_cast<std::uint64_t>(v.integer);
}

Value number_of(const Value& v) {
  return is_number(v) ? v : Value::of(0);
}

/// SQLite has no NaN: infinity less infinity counts as nothing.
Value real_or_zero(double v) {
  return Value::of_real(std::isnan(v) ? 0.0 : v);
}

}  // namespace

bool is_number(const Value& v) {
  return class_of(v) == 1;
}

int compare_values(const Value& a, const Value& b) {
  if (class_of(a) != class_of(b)) return order(class_of(a), class_of(b));
  if (class_of(a) == 0) return 0;
  if (class_of(a) > 1) return order(a.bytes, b.bytes);
  if (a.type == Type::integer && b.type == Type::integer) return order(a.integer, b.integer);
  if (a.type == Type::integer) return compare(a.integer, b.real());
  if (b.type == Type::integer) return -compare(b.integer, a.real());
  return order(a.real(), b.real());
}

Value sum(const Value& a, const Value& b) {
  const Value x = number_of(a);
  const Value y = number_of(b);
  if (x.type == Type::integer && y.type == Type::integer) {
    return Value::of(static_cast<std::int64_t>(bits(x) + bits(y)));
  }
  return real_or_zero(real_of(x) + real_of(y));
}

Value difference(const Value& a, const Value& b) {
  const Value x = number_of(a);
  const Value y = number_of(b);
  if (x.type == Type::integer && y.type == Type::integer) {
    return Value::of(static_cast<std::int64_t>(bits(x) - bits(y)));
  }
  return real_or_zero(real_of(x) - real_of(y));
}

}  // namespace mycelial::core
