// SPDX-License-Identifier: Apache-2.0
#include "core/policy/policy.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "core/policy/registers.hpp"

namespace mycelial::core {
namespace {

using Kind = Policy::Kind;
using Type = Value::Type;
using Registers = std::vector<Register>;

bool is_scalar(const Register& r) {
  return !r.kind || *r.kind == Part::Kind::site;
}

/// Of two values in the order of their stamps: whether the later one is shown.
bool prefers_later(Kind kind, const Value& earlier, const Value& later) {
  if (earlier.type == Type::null || later.type == Type::null) {
    return kind == Kind::lww || earlier.type == Type::null;  // NULL: nothing yet
  }
  switch (kind) {
    case Kind::fww:
      return false;
    case Kind::max:
      return compare_values(later, earlier) >= 0;
    case Kind::min:
      return compare_values(later, earlier) <= 0;
    default:
      return true;
  }
}

OwnedValue shown_count(const Registers& registers) {
  Value total;
  for (const auto& r : registers) {
    if (!is_scalar(r) || !is_number(r.value)) continue;
    total = total.type == Type::null ? r.value : sum(total, r.value);
  }
  if (total.type != Type::null || registers.empty()) return OwnedValue(total);
  return OwnedValue(registers.back().value);  // no number at all
}

/// Integers first, then reals by author: the same order everywhere.
void order_for_sum(Registers& registers, const Ranks& ranks) {
  std::ranges::stable_sort(registers, [&](const Register& a, const Register& b) {
    const auto key = [&](const Register& r) {
      return std::tuple(!is_number(r.value), r.value.type == Type::real, r.kind.has_value(),
                        ranks.of(r.stamp.origin));
    };
    return key(a) < key(b);
  });
}

OwnedValue merged(const Policy& policy, const Candidate& earlier, const Candidate& later) {
  if (policy.merger) return policy.merger->merge(earlier, later);
  return OwnedValue(prefers_later(policy.kind, earlier.value, later.value) ? later.value
                                                                           : earlier.value);
}

/// In the order of stamps, two at a time.
OwnedValue shown_scalar(const Policy& policy, const Registers& registers, const Ranks& ranks) {
  std::optional<OwnedValue> out;
  Stamp stamp;
  for (const auto& r : registers) {
    if (!is_scalar(r)) continue;
    if (out) {
      out = merged(policy, {out->view(), stamp, ranks.site(stamp.origin)},
                   {r.value, r.stamp, ranks.site(r.stamp.origin)});
    } else {
      out.emplace(r.value);
    }
    stamp = r.stamp;
  }
  if (out) return std::move(*out);
  // Another policy's parts only.
  const bool object = registers.front().kind == Part::Kind::member;
  return object ? shown_object(registers) : shown_set(registers);
}

std::optional<OwnedValue> shown(const Policy& policy, Registers& registers, const Ranks& ranks) {
  if (registers.empty()) return {};
  switch (policy.kind) {
    case Kind::counter:
      order_for_sum(registers, ranks);
      return shown_count(registers);
    case Kind::set:
      return shown_set(registers);
    case Kind::json:
      return shown_object(registers);
    default:
      return shown_scalar(policy, registers, ranks);
  }
}

const Register* contribution(const Registers& registers, Origin author) {
  const auto it = std::ranges::find_if(registers, [&](const Register& r) {
    return r.kind == Part::Kind::site && r.stamp.origin == author;
  });
  return it == registers.end() ? nullptr : &*it;
}

void write_count(const PolicyWrite& w, Registers registers, const Ranks& ranks,
                 std::deque<Bytes>& bytes, std::vector<LocalWrite::Written>& out) {
  const Register* own = contribution(registers, w.author);
  Value total = own ? own->value : Value::null();
  if (registers.empty() && !w.before.births.empty() && is_number(w.fallback)) {
    // The default, which all count from: the same version, whoever writes it.
    out.push_back({w.column, 0, w.fallback, Stamp{}});
    total = difference(w.value, w.fallback);
  } else if (registers.empty()) {
    total = w.value;
  } else {
    const auto now = shown(w.policy, registers, ranks);
    const Value change = difference(w.value, now->view());
    if (is_number(w.value) && change == Value::of(0)) return;
    total = sum(total, change);
  }
  out.push_back({w.column, w.time, made_part(bytes, Part::Kind::site, {}, total)});
}

void write_scalar(const PolicyWrite& w, const Registers& registers, const Ranks& ranks,
                  std::deque<Bytes>& bytes, std::vector<LocalWrite::Written>& out) {
  const Register* own = contribution(registers, w.author);
  OwnedValue value(w.value);
  if (own) {
    const Site& site = ranks.site(w.author);
    value =
        merged(w.policy, {own->value, own->stamp, site}, {w.value, {w.time, w.author, 0}, site});
    if (value.view() == own->value) return;
  }
  out.push_back({w.column, w.time, made_part(bytes, Part::Kind::site, {}, value.view())});
}

/// Versions of registers that the write says nothing about, and the new birth has to have.
void carry_along(const PolicyWrite& w, std::size_t first, std::vector<LocalWrite::Written>& out) {
  const std::size_t last = out.size();
  for (const auto& cell : w.before.cells) {
    if (cell.column != w.column) continue;
    const Stamp& stamp = w.before.writes[cell.write].stamp;
    const bool said =
        std::any_of(out.begin() + static_cast<std::ptrdiff_t>(first),
                    out.begin() + static_cast<std::ptrdiff_t>(last), [&](const auto& written) {
                      const Origin author = written.stamp ? written.stamp->origin : w.author;
                      return same_register(written.value, author, cell.value, stamp.origin);
                    });
    if (!said) out.push_back({w.column, 0, cell.value, stamp});
  }
}

}  // namespace

std::vector<Register> registers_of(const Row& row, std::uint32_t column, const Ranks& ranks) {
  struct Version {
    const Value* value;
    const Stamp* stamp;
  };
  std::vector<Version> versions;
  for (const auto& cell : row.cells) {
    if (cell.column == column) versions.push_back({&cell.value, &row.writes[cell.write].stamp});
  }
  std::ranges::sort(versions, [&](const Version& a, const Version& b) {
    if (*a.stamp != *b.stamp) return stamp_less(*a.stamp, *b.stamp, ranks);
    if (takes_out(*b.value, *a.value)) return true;
    return !takes_out(*a.value, *b.value) &&
           register_less(*a.value, a.stamp->origin, *b.value, b.stamp->origin);
  });
  std::vector<Register> out;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const auto& v = versions[i];
    const bool later = std::any_of(versions.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   versions.end(), [&](const Version& other) {
                                     return same_register(*v.value, v.stamp->origin, *other.value,
                                                          other.stamp->origin);
                                   });
    if (later) continue;
    if (v.value->type != Type::part) {
      out.push_back({{}, {}, *v.value, *v.stamp});
    } else if (const auto part = get_part(v.value->bytes)) {
      out.push_back({part->kind, part->name, part->value, *v.stamp});
    }
  }
  return out;
}

const Register* plain_of(const Registers& registers) {
  const auto it = std::ranges::find_if(registers, [](const Register& r) { return !r.kind; });
  return it == registers.end() ? nullptr : &*it;
}

Value made_part(std::deque<Bytes>& bytes, Part::Kind kind, ByteView name, const Value& value) {
  put_part(bytes.emplace_back(), {kind, name, value});
  return Value::part(bytes.back());
}

std::optional<Kind> policy_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Kind>, 7> kNames{{{"lww", Kind::lww},
                                                                     {"fww", Kind::fww},
                                                                     {"max", Kind::max},
                                                                     {"min", Kind::min},
                                                                     {"counter", Kind::counter},
                                                                     {"set", Kind::set},
                                                                     {"json", Kind::json}}};
  const auto it = std::ranges::find(kNames, name, &std::pair<std::string_view, Kind>::first);
  return it == kNames.end() ? std::nullopt : std::optional(it->second);
}

std::optional<OwnedValue> shown_value(const Policy& policy, const Row& row, std::uint32_t column,
                                      const Ranks& ranks) {
  auto registers = registers_of(row, column, ranks);
  return shown(policy, registers, ranks);
}

void write_column(const PolicyWrite& w, const Ranks& ranks, std::deque<Bytes>& bytes,
                  std::vector<LocalWrite::Written>& out) {
  const std::size_t first = out.size();
  if (w.changed) {
    const auto registers = registers_of(w.before, w.column, ranks);
    switch (w.policy.kind) {
      case Kind::lww:
        out.push_back({w.column, w.time, w.value});
        return;
      case Kind::counter:
        write_count(w, registers, ranks, bytes, out);
        break;
      case Kind::set:
        write_set(w, registers, bytes, out);
        break;
      case Kind::json:
        write_object(w, registers, bytes, out);
        break;
      default:
        write_scalar(w, registers, ranks, bytes, out);
    }
  }
  if (w.upsert) carry_along(w, first, out);
}

}  // namespace mycelial::core
