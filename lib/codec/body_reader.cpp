// SPDX-License-Identifier: Apache-2.0
#include <iterator>
#include <limits>
#include <unordered_map>

#include "codec/block_format.hpp"
#include "codec/block_reader.hpp"
#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "codec/tables.hpp"

namespace mycelial::codec {

namespace {

Status add_key(core::Schema& schema, std::uint64_t column) {
  if (schema.key.size() == kColumnsMax) return corrupt("a schema's key has too many columns");
  if (column >= kColumnsMax) return corrupt("a schema's key names no column");
  schema.key.push_back(static_cast<std::uint32_t>(column));
  return {};
}

Status add_policy(core::Schema& schema, ByteView bytes) {
  if (schema.policies.size() > 2 * kColumnsMax) return corrupt("a schema has too many policies");
  ByteReader in(bytes);
  const std::uint64_t column = in.varint();
  const std::uint64_t at_ms = in.varint();
  const std::uint64_t seen_ms = in.varint();
  const ByteView name = in.bytes(in.left());
  if (!in.ok() || column > 2 * kColumnsMax || name.empty() || name.size() > kNameBytesMax ||
      at_ms > core::hlc_ms(core::kHlcMax) || seen_ms > at_ms) {
    return corrupt("a schema's policy is malformed");
  }
  schema.policies.push_back({static_cast<std::uint32_t>(column), Bytes(name), at_ms, seen_ms});
  return {};
}

Result<core::Schema> read_schema(ByteView in) {
  core::Schema out;
  FieldReader reader(in);
  Field field;
  while (reader.next(field)) {
    if (field.number == schema_field::key && field.type == WireType::varint) {
      if (auto status = add_key(out, field.value); !status) return status;
      continue;
    }
    if (field.type != WireType::bytes) continue;
    if (field.number == schema_field::key) {
      for (ByteReader key(field.bytes); !key.at_end();) {
        const std::uint64_t column = key.varint();
        if (!key.ok()) return corrupt("a schema's key is malformed");
        if (auto status = add_key(out, column); !status) return status;
      }
      continue;
    }
    if (field.number == schema_field::policies) {
      if (auto status = add_policy(out, field.bytes); !status) return status;
      continue;
    }
    if (field.number > schema_field::formerly) continue;
    if (field.bytes.size() > kNameBytesMax) return corrupt("a schema's name is too long");
    if (field.number == schema_field::table) {
      out.table = Bytes(field.bytes);
    } else if (field.number == schema_field::formerly) {
      if (out.formerly.size() == kFormerNamesMax) return corrupt("a table has too many names");
      out.formerly.emplace_back(field.bytes);
    } else {
      if (out.columns.size() == kColumnsMax) return corrupt("a schema has too many columns");
      out.columns.emplace_back(field.bytes);
    }
  }
  if (!reader.ok()) return corrupt("a schema is malformed");
  for (const auto column : out.key) {
    if (column >= out.columns.size()) return corrupt("a schema's key names no column");
  }
  for (const auto& policy : out.policies) {
    if (policy.column > 2 * out.columns.size()) return corrupt("a schema's policy names no column");
  }
  return out;
}

Result<core::Overruled> read_overruled(ByteView in) {
  namespace f = overruled_field;
  core::Overruled out;
  std::string* const texts[] = {&out.table, &out.identity, &out.column, &out.kind,
                                &out.value, &out.winner,   &out.rule};
  constexpr std::size_t kMax[] = {kNameBytesMax, kIdentityBytesMax, kNameBytesMax, kNameBytesMax,
                                  kItemBytesMax, kItemBytesMax,     kNameBytesMax};
  FieldReader reader(in);
  Field field;
  while (reader.next(field)) {
    if (field.number == f::at && field.type == WireType::varint) out.at_ms = field.value;
    if (field.type != WireType::bytes || field.number < 1 || field.number > std::size(texts))
      continue;
    if (field.bytes.size() > kMax[field.number - 1]) return corrupt("a listed value is too long");
    *texts[field.number - 1] = field.bytes;
  }
  if (!reader.ok()) return corrupt("a listed value is malformed");
  if (out.table.empty() || out.identity.empty()) return corrupt("a listed value is of no row");
  return out;
}

}  // namespace

struct BodyReader::State {
  ByteReader in;
  SchemaLookup known;
  std::unordered_map<Hash, std::size_t> embedded;  ///< Columns of the schemas met so far.

  std::optional<std::size_t> columns_of(const Hash& schema) const {
    if (const auto found = embedded.find(schema); found != embedded.end()) return found->second;
    const core::Schema* other = known ? known(schema) : nullptr;
    return other != nullptr ? std::optional(other->columns.size()) : std::nullopt;
  }
};

BodyReader::BodyReader(ByteView body, SchemaLookup known)
    : state_(std::make_unique<State>(State{ByteReader(body), std::move(known), {}})) {}
BodyReader::~BodyReader() = default;

Result<std::optional<BodyReader::Item>> BodyReader::next() {
  ByteReader& in = state_->in;
  while (!in.at_end()) {
    const std::uint64_t size = in.varint();
    if (size > kItemBytesMax) return corrupt("an item of a body is too large");
    const ByteView bytes = in.bytes(size);
    if (!in.ok()) return corrupt("a body is cut short");
    FieldReader fields(bytes);
    Field field;
    Field item;
    while (fields.next(field)) {
      if (field.type != WireType::bytes) continue;
      if (field.number >= item_field::schema && field.number <= item_field::overruled) item = field;
    }
    if (!fields.ok()) return corrupt("an item of a body is malformed");
    if (item.number == item_field::schema) {
      auto schema = read_schema(item.bytes);
      if (!schema) return schema.status();
      state_->embedded[schema->hash()] = schema->columns.size();
      return std::optional(Item{std::move(*schema), {}, {}});
    }
    if (item.number == item_field::block) {
      auto block = open_block(item.bytes, [&](const Hash& h) { return state_->columns_of(h); });
      if (!block) return block.status();
      return std::optional(Item{{}, std::move(*block), {}});
    }
    if (item.number == item_field::overruled) {
      auto overruled = read_overruled(item.bytes);
      if (!overruled) return overruled.status();
      return std::optional(Item{{}, {}, std::move(*overruled)});
    }
    return corrupt("an item of a body is of an unknown kind");
  }
  if (!in.ok()) return corrupt("a body is malformed");
  return std::optional<Item>();
}

}  // namespace mycelial::codec
