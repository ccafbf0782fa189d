// SPDX-License-Identifier: Apache-2.0
// Add-wins sets (JSON arrays) and JSON objects. A set is an observed-remove set (Shapiro et al.,
// "A comprehensive study of convergent and commutative replicated data types", 2011) whose tags are
// stamps: one register per element and site, and taking out names the stamp that it takes out.
#include <algorithm>
#include <map>

#include "core/policy/json.hpp"
#include "core/policy/registers.hpp"

namespace mycelial::core {
namespace {

using Type = Value::Type;
using Registers = std::vector<Register>;

/// The stamps by which an element is in the set, by author.
using Tags = std::map<Origin, Stamp>;

/// Elements that are in the set. A plain array counts as put in when it was written.
std::map<Bytes, Tags> elements_of(const Registers& registers) {
  std::map<Bytes, Tags> in;
  std::map<std::pair<Bytes, Origin>, Stamp> out;
  for (const auto& r : registers) {
    if (r.kind != Part::Kind::element) continue;
    if (r.value.type == Type::null) {
      out[{Bytes(r.name), r.stamp.origin}] = r.stamp;
    } else {
      in[Bytes(r.name)][r.stamp.origin] = r.stamp;
    }
  }
  const Register* plain = plain_of(registers);
  const auto array =
      plain && plain->value.type == Type::text ? split_array(plain->value.bytes) : std::nullopt;
  const auto later = [](const Stamp& a, const Stamp& b) {  // of one author
    return std::pair(a.time, a.seq) > std::pair(b.time, b.seq);
  };
  for (const auto& element : array.value_or(std::vector<Bytes>())) {
    const auto taken = out.find({element, plain->stamp.origin});
    if (taken != out.end() && !later(plain->stamp, taken->second)) continue;
    Stamp& tag = in[element].try_emplace(plain->stamp.origin, plain->stamp).first->second;
    if (later(plain->stamp, tag)) tag = plain->stamp;
  }
  return in;
}

/// Members that are in the object. A plain object counts as written member by member.
std::map<Bytes, Bytes> members_of(const Registers& registers) {
  std::map<Bytes, Bytes> members;
  for (const auto& r : registers) {  // in the order of stamps
    if (!r.kind && r.value.type == Type::text) {
      const auto object = split_object(r.value.bytes);
      if (!object) continue;
      for (const auto& [key, value] : *object) members[key] = value;
    } else if (r.kind == Part::Kind::member && r.value.type == Type::null) {
      members.erase(Bytes(r.name));
    } else if (r.kind == Part::Kind::member) {
      members[Bytes(r.name)] = Bytes(r.value.bytes);
    }
  }
  return members;
}

/// Nothing is left: what was written last in its place, if that is no list of things taken out.
OwnedValue when_empty(const Registers& registers, bool object) {
  const char* const nothing = object ? "{}" : "[]";
  const Register* plain = plain_of(registers);
  if (!plain) return OwnedValue::text(nothing);
  if (plain->value.type != Type::text) return OwnedValue(plain->value);
  const bool list = object ? split_object(plain->value.bytes).has_value()
                           : split_array(plain->value.bytes).has_value();
  return list ? OwnedValue::text(nothing) : OwnedValue(plain->value);
}

}  // namespace

OwnedValue shown_set(const Registers& registers) {
  const auto elements = elements_of(registers);
  if (elements.empty()) return when_empty(registers, false);
  Bytes out;
  for (const auto& [element, tags] : elements) out += (out.empty() ? "[" : ",") + element;
  return OwnedValue::text(out + "]");
}

OwnedValue shown_object(const Registers& registers) {
  const auto members = members_of(registers);
  if (members.empty()) return when_empty(registers, true);
  Bytes out;
  for (const auto& [key, value] : members) {
    out += out.empty() ? "{" : ",";
    out.append(key).append(":").append(value);
  }
  return OwnedValue::text(out + "}");
}

void write_set(const PolicyWrite& w, const Registers& registers, std::deque<Bytes>& bytes,
               std::vector<LocalWrite::Written>& out) {
  const auto array = w.value.type == Type::text ? split_array(w.value.bytes) : std::nullopt;
  const auto elements = array.value_or(std::vector<Bytes>());
  const auto before = elements_of(registers);
  for (const auto& element : elements) {
    if (before.contains(element)) continue;
    out.push_back({w.column, w.time, made_part(bytes, Part::Kind::element, element, Value::of(1))});
  }
  for (const auto& [element, tags] : before) {
    if (std::ranges::binary_search(elements, element)) continue;
    for (const auto& [author, stamp] : tags) {
      out.push_back({w.column, 0, made_part(bytes, Part::Kind::element, element, {}), stamp});
    }
  }
  if (elements.empty()) out.push_back({w.column, w.time, w.value});
}

void write_object(const PolicyWrite& w, const Registers& registers, std::deque<Bytes>& bytes,
                  std::vector<LocalWrite::Written>& out) {
  const auto object = w.value.type == Type::text ? split_object(w.value.bytes) : std::nullopt;
  const auto members = object.value_or(std::vector<std::pair<Bytes, Bytes>>());
  auto before = members_of(registers);
  for (const auto& [key, value] : members) {
    const auto was = before.find(key);
    const bool same = was != before.end() && was->second == value;
    if (was != before.end()) before.erase(was);
    if (same) continue;
    out.push_back(
        {w.column, w.time, made_part(bytes, Part::Kind::member, key, Value::text(value))});
  }
  for (const auto& [key, value] : before) {
    out.push_back({w.column, w.time, made_part(bytes, Part::Kind::member, key, {})});
  }
  if (members.empty()) out.push_back({w.column, w.time, w.value});
}

}  // namespace mycelial::core
