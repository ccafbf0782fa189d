// SPDX-License-Identifier: Apache-2.0
#include "storage/identity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mycelial::storage {
namespace {

using Type = core::Value::Type;

constexpr std::size_t kGraveBytes = 16;

/// A real that an integer equals compares equal to it in SQLite.
core::Value integral(const core::Value& v) {
  if (v.type != Type::real) return v;
  const double r = v.real();
  if (r >= -9223372036854775808.0 && r < 9223372036854775808.0 && std::trunc(r) == r) {
    return core::Value::of(static_cast<std::int64_t>(r));
  }
  return v;
}

void put_text(Bytes& out, ByteView text, Collation collation) {
  if (collation == Collation::rtrim) {
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  }
  put_varint(out, text.size());
  if (collation != Collation::nocase) {
    out.append(text);
    return;
  }
  // SQLite's NOCASE looks no further than a NUL, except at the length.
  const auto end = std::min(text.find('\0'), text.size());
  for (const char c : text.substr(0, end)) {
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  out.append(text.size() - end, '\0');
}

}  // namespace

core::Identity encode_identity(const HiddenIdentity& id) {
  core::Identity out = "H";
  out.append(id.site.view());
  put_varint(out, id.number);
  char random[4];
  std::memcpy(random, &id.random, sizeof random);
  out.append(random, sizeof random);
  return out;
}

bool is_key_identity(ByteView id) {
  return !id.empty() && id.front() == 'K';
}

std::uint32_t short_hash(ByteView bytes) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<std::uint32_t>(hash >> 32 ^ hash);
}

std::uint32_t key_witness(ByteView id) {
  return std::max(static_cast<std::uint32_t>(1), short_hash(id));
}

std::optional<HiddenIdentity> hidden_identity(ByteView id) {
  if (id.empty() || id.front() != 'H') return std::nullopt;
  ByteReader in(id.substr(1));
  HiddenIdentity out;
  out.site = core::Site::from(in.bytes(16));
  out.number = in.varint();
  const ByteView random = in.bytes(4);
  if (!in.ok() || !in.at_end()) return std::nullopt;
  std::memcpy(&out.random, random.data(), 4);
  return out;
}

Bytes grave_name(ByteView identity) {
  if (identity.size() <= kGraveBytes) return Bytes(identity);
  const Hash hash = hash_parts({"mycelial grave 1", identity});
  return Bytes("D").append(hash.view().substr(0, kGraveBytes - 1));
}

bool is_grave_name(ByteView id) {
  return id.size() == kGraveBytes && id.front() == 'D';
}

void put_canonical(Bytes& out, const core::Value& value, Collation collation) {
  const core::Value v = integral(value);
  out.push_back(static_cast<char>(v.type));
  switch (v.type) {
    case Type::integer:
      put_varint(out, zigzag(v.integer));
      break;
    case Type::real:
      out.append(reinterpret_cast<const char*>(&v.integer), 8);
      break;
    case Type::text:
      put_text(out, v.bytes, collation);
      break;
    case Type::blob:
      put_prefixed(out, v.bytes);
      break;
    case Type::null:
    case Type::in_table:
    case Type::part:
      break;
  }
}

std::optional<core::Identity> key_identity(const TableInfo& table,
                                           std::span<const core::Value> values) {
  if (values.size() < table.key.size()) return std::nullopt;
  core::Identity out = "K";
  for (std::size_t i = 0; i < table.key.size(); ++i) {
    if (values[i].type == Type::null) return std::nullopt;
    put_canonical(out, values[i], table.columns[table.key[i]].collation);
  }
  return out;
}

std::optional<std::vector<core::Value>> key_values(ByteView id) {
  if (!is_key_identity(id)) return std::nullopt;
  ByteReader in(id.substr(1));
  std::vector<core::Value> out;
  while (in.ok() && !in.at_end()) {
    switch (static_cast<Type>(in.byte())) {
      case Type::integer:
        out.push_back(core::Value::of(unzigzag(in.varint())));
        break;
      case Type::real: {
        const ByteView raw = in.bytes(8);
        core::Value v{Type::real, 0, {}};
        if (raw.size() == 8) std::memcpy(&v.integer, raw.data(), 8);
        out.push_back(v);
        break;
      }
      case Type::text:
        out.push_back(core::Value::text(in.prefixed()));
        break;
      case Type::blob:
        out.push_back(core::Value::blob(in.prefixed()));
        break;
      default:
        return std::nullopt;
    }
  }
  if (!in.ok()) return std::nullopt;
  return out;
}

std::string describe_identity(ByteView id) {
  if (const auto values = key_values(id)) {
    std::string out;
    for (const auto& v : *values) out += (out.empty() ? "" : ", ") + to_literal(v);
    return out;
  }
  if (const auto hidden = hidden_identity(id)) {
    return fmt::format("row {} of {}", hidden->number, hidden->site.hex().substr(0, 8));
  }
  return "?";
}

}  // namespace mycelial::storage
