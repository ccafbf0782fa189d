// SPDX-License-Identifier: Apache-2.0
#include "core/policy/part.hpp"

#include <algorithm>
#include <tuple>

namespace mycelial::core {
namespace {

using Type = Value::Type;

/// Kind and name, as bytes that compare: the part without its value.
ByteView head(const Value& v) {
  if (v.type != Type::part) return {};
  ByteReader in(v.bytes);
  in.byte();
  in.prefixed();
  return v.bytes.substr(0, v.bytes.size() - in.left());
}

/// Registers of these kinds are one per author.
Origin author_of(const Value& v, Origin author) {
  const bool own = v.type == Type::part && !v.bytes.empty() &&
                   v.bytes[0] != static_cast<char>(Part::Kind::member);
  return own ? author : 0;
}

}  // namespace

void put_part(Bytes& out, const Part& part) {
  out.push_back(static_cast<char>(part.kind));
  put_prefixed(out, part.name);
  out.push_back(static_cast<char>(part.value.type));
  switch (part.value.type) {
    case Type::integer:
    case Type::real:
      put_varint(out, zigzag(part.value.integer));
      break;
    case Type::text:
    case Type::blob:
      out.append(part.value.bytes);
      break;
    default:
      break;
  }
}

std::optional<Part> get_part(ByteView bytes) {
  ByteReader in(bytes);
  Part out;
  out.kind = static_cast<Part::Kind>(in.byte());
  out.name = in.prefixed();
  const auto type = static_cast<Type>(in.byte());
  if (!in.ok() || out.kind < Part::Kind::site || out.kind > Part::Kind::member) return {};
  switch (type) {
    case Type::null:
      break;
    case Type::integer:
      out.value = Value::of(unzigzag(in.varint()));
      break;
    case Type::real:
      out.value = {Type::real, unzigzag(in.varint()), {}};
      if (out.value.real() != out.value.real()) return {};  // SQLite has no NaN
      break;
    case Type::text:
      out.value = Value::text(in.bytes(in.left()));
      break;
    case Type::blob:
      out.value = Value::blob(in.bytes(in.left()));
      break;
    default:
      return {};
  }
  if (!in.ok() || !in.at_end()) return {};
  return out;
}

Value plain(const Value& value) {
  if (value.type != Type::part) return value;
  const auto part = get_part(value.bytes);
  return part ? part->value : Value::null();
}

bool has_parts(const Row& row) {
  return std::ranges::any_of(row.cells, [](const Cell& c) { return c.value.type == Type::part; });
}

bool same_register(const Value& a, Origin a_author, const Value& b, Origin b_author) {
  return head(a) == head(b) && author_of(a, a_author) == author_of(b, b_author);
}

bool register_less(const Value& a, Origin a_author, const Value& b, Origin b_author) {
  return std::tuple(head(a), author_of(a, a_author)) < std::tuple(head(b), author_of(b, b_author));
}

bool takes_out(const Value& a, const Value& b) {
  if (a.type != Type::part || b.type != Type::part) return false;
  if (a.bytes.empty() || a.bytes[0] != static_cast<char>(Part::Kind::element)) return false;
  return plain(a).type == Type::null && plain(b).type != Type::null;
}

}  // namespace mycelial::core
