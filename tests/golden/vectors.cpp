// SPDX-License-Identifier: Apache-2.0
#include "tests/golden/vectors.hpp"

#include <functional>
#include <utility>

#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "core/message.hpp"
#include "tests/golden/rows.hpp"
#include "tests/golden/text.hpp"

namespace mycelial::golden {

namespace {

core::Message message(decltype(core::Message::body) body) {
  return {site(0xa1), 0x0123456789abcdef, std::move(body)};
}

core::UnitRef unit_ref(core::UnitKind kind, const core::Stream& of, std::uint64_t first,
                       std::uint64_t last) {
  return {hash(0x55), kind, of, first, last, 1000, 0};
}

core::HaveMessage have() {
  return {
      3,          {{stream(0xa1), {7, hash(0x11)}}, {stream(0xb2, 1, 2), {1 << 20, hash(0x22)}}},
      hash(0x33), true,
      true,       2};
}

core::HaveMessage have_members() {
  core::HaveMessage out{5, {}, hash(0x33), false, true, 0};
  out.streams = {{stream(0xa1), 7}, {stream(0xb2, 1, 2), 1 << 20}, {stream(0xc3), 9}};
  out.members = {{site(0xb2), 12, 3600, {}}, {site(0xc3), 1, 0, {{0, 5}, {2, 0}}}};
  return out;
}

core::WantMessage want() {
  core::WantMessage out;
  out.to = 0xfedcba9876543210;
  out.needs = {{stream(0xb2), 8, 20, 0}, {stream(0xc3), 1, 1, 3}};
  out.parts = {{hash(0x44), {{0, 512}, {1024, 1 << 20}}}, {hash(0x45), {}}};
  out.tips = {{stream(0xa1), {7, hash(0x11)}}};
  out.graft = true;
  return out;
}

core::FragMessage frag(const core::UnitRef& unit, std::uint64_t offset, Bytes bytes, bool more) {
  return {unit, offset, std::move(bytes), more};
}

void add_messages(std::vector<Vector>& out) {
  using core::UnitKind;
  const auto add = [&](const char* name, decltype(core::Message::body) body) {
    const auto m = message(std::move(body));
    out.push_back({name, Form::canonical, false, codec::encode_message(m), text_of(m)});
  };
  add("message_digest", core::DigestMessage{hash(0x77)});
  add("message_digest_list",
      core::DigestMessage{hash(0x77), {0xfedcba9876543210, 1'700'000'000'000}});
  add("message_have", have());
  add("message_have_part", core::HaveMessage{4, {}, hash(0x33), false, false, 1});
  add("message_have_members", have_members());
  add("message_want", want());
  add("message_frag_own",
      frag(unit_ref(UnitKind::set, stream(0xa1), 5, 5), 0, Bytes("\0payload\xff", 9), true));
  add("message_frag_fold",
      frag(unit_ref(UnitKind::fold, stream(0xb2, 3, 4), 5, 900), 64, "rest", false));
  add("message_frag_cut", frag(unit_ref(UnitKind::cut, stream(0xa1), 0, 0), 999, "x", false));
  add("message_frag_empty", frag(unit_ref(UnitKind::set, stream(0xa1), 6, 6), 1000, "", false));
  add("message_stop", core::StopMessage{hash(0x66)});
  add("message_probe",
      core::ProbeMessage{stream(0xb2, 0, 1), {{1, hash(0x01)}, {500, hash(0x02)}}});
  add("message_frag_list", frag(unit_ref(UnitKind::list, stream(0xa1), 0, 0), 0, "y", false));
  add("message_compare", core::CompareMessage{0x0123456789abcdef,
                                              {0xfedcba9876543210, 1'700'000'000'000},
                                              1'700'000'000'001,
                                              {1, 0, 0xfffffffe, 256},
                                              {{hash(0x44), {{0, 100}, {300, 301}}}}});
  add("message_bye", core::ByeMessage{"no more of this, \xe2\x98\xba"});
}

core::Header set_header(std::uint64_t seq) {
  core::Header out;
  out.stream = stream(0xa1);
  out.first = out.last = seq;
  if (seq > 1) out.prev = hash(0x10);
  return out;
}

core::Header fold_header() {
  core::Header out = set_header(5);
  out.kind = core::UnitKind::fold;
  out.last = 7;
  out.chain = {hash(0x05), hash(0x06), hash(0x07)};
  out.deps = {{stream(0xb2), {4, hash(0x24)}}};
  return out;
}

core::Header cut_header() {
  core::Header out;
  out.kind = core::UnitKind::cut;
  out.stream = stream(0xa1);
  out.base = {{stream(0xa1), {3, hash(0x13)}}};
  out.have = {{stream(0xa1), {9, hash(0x19)}}, {stream(0xb2, 0, 1), {2, hash(0x22)}}};
  out.floor = {{stream(0xb2), 77}};
  out.full = true;
  return out;
}

struct Unit {
  Bytes bytes;
  std::string text;
};

Unit unit(core::Header header, const std::vector<Table>& tables, bool embed = true,
          const std::vector<core::Overruled>& listed = {}) {
  codec::BodyWriter writer;
  std::string schemas;
  std::string blocks;
  for (const auto& table : tables) {
    const Hash schema = table.schema.hash();
    if (embed) {
      writer.add_schema(table.schema);
      schemas += text_of(table.schema);
    }
    for (const auto& row : table.rows) {
      writer.add_row(table.schema, schema, row,
                     [&](core::Origin o) -> const core::Stream& { return table.origins[o]; });
    }
    blocks += text_of(schema, table.origins, table.rows);
  }
  std::string lists;
  for (const auto& what : listed) {
    writer.add_overruled(what);
    lists += text_of(what);
  }
  const Bytes body = writer.finish();
  header.body_bytes = body.size();
  Unit out;
  out.bytes = codec::encode_unit(header, body);
  out.text = text_of(header, codec::decode_unit(out.bytes)->id) + schemas + lists + blocks;
  return out;
}

void add_units(std::vector<Vector>& out) {
  const auto add = [&](const char* name, Unit made) {
    out.push_back({name, Form::canonical, true, std::move(made.bytes), std::move(made.text)});
  };
  core::Header with_deps = set_header(8);
  with_deps.deps = {{stream(0xb2), {102, hash(0x2a)}}};
  core::Header scoped = set_header(1);
  scoped.stream = stream(0xa1, 1, 9);
  add("unit_empty", unit(set_header(1), {}));
  add("unit_inserts", unit(set_header(7), {inserts()}));
  add("unit_updates", unit(with_deps, {updates()}));
  add("unit_deletes", unit(set_header(9), {deletes()}));
  add("unit_upserts", unit(set_header(12), {upserts()}));
  add("unit_concurrent", unit(fold_header(), {concurrent()}));
  add("unit_keyless", unit(set_header(3), {keyless()}));
  add("unit_many", unit(set_header(42), {many()}));
  add("unit_two_tables", unit(set_header(7), {inserts(), threats()}));
  add("unit_known_schema", unit(set_header(7), {threats()}, false));
  add("unit_scoped", unit(scoped, {threats()}));
  add("unit_fold", unit(fold_header(), {updates()}));
  add("unit_policies", unit(set_header(20), {policies()}));
  add("unit_listed", unit(cut_header(), {deletes()}, true, listed()));
  add("unit_cut", unit(cut_header(), {keyless(), deletes()}));
}

Bytes frame(ByteView header, ByteView body) {
  Bytes out;
  codec::put_tag(out, 1, codec::WireType::bytes);
  put_prefixed(out, header);
  codec::put_tag(out, 2, codec::WireType::bytes);
  put_prefixed(out, body);
  return out;
}

/// The unit with fields that a later version might add behind its header.
Bytes with_header_fields(const Bytes& made, ByteView extra) {
  codec::FieldReader reader(made);
  codec::Field header;
  codec::Field body;
  reader.next(header);
  reader.next(body);
  return frame(Bytes(header.bytes) + Bytes(extra), body.bytes);
}

/// The text of a unit whose header differs in nothing that the text shows but the id.
std::string with_id(const std::string& text, const Bytes& bytes) {
  return "unit " + codec::decode_unit(bytes)->id.hex() + text.substr(text.find('\n'));
}

void add_later_versions(std::vector<Vector>& out) {
  const auto stop = message(core::StopMessage{hash(0x66)});
  Bytes later_message = codec::encode_message(stop);
  codec::put_bytes_field(later_message, 100, "later");
  codec::put_varint_field(later_message, 101, 1);
  out.push_back({"message_unknown_fields", Form::tolerated, false, later_message, text_of(stop)});

  const Unit plain = unit(set_header(7), {threats()});
  Bytes signed_fields;
  codec::put_bytes_field(signed_fields, 17, "key 1");
  codec::put_bytes_field(signed_fields, 18, Bytes(64, '\x5a'));
  Bytes unknown_fields;
  codec::put_bytes_field(unknown_fields, 100, "later");
  for (const auto& [name, fields] : {std::pair("unit_signed", signed_fields),
                                     std::pair("unit_unknown_fields", unknown_fields)}) {
    const Bytes bytes = with_header_fields(plain.bytes, fields);
    out.push_back({name, Form::tolerated, true, bytes, with_id(plain.text, bytes)});
  }

  Bytes encrypted;
  codec::put_varint_field(encrypted, 16, 2);
  out.push_back({"unit_other_encoding", Form::refused, true,
                 with_header_fields(plain.bytes, encrypted), "error version"});
  Bytes newer;
  codec::put_varint_field(newer, 1, 2);
  newer += "what follows is the business of version 2";
  out.push_back({"message_newer", Form::refused, false, newer, "error version"});
  out.push_back({"unit_newer", Form::refused, true, frame(newer, ""), "error version"});
}

}  // namespace

const core::Schema& known_schema() {
  static const core::Schema schema = threats().schema;
  return schema;
}

std::vector<Vector> vectors() {
  std::vector<Vector> out;
  add_messages(out);
  add_units(out);
  add_later_versions(out);
  return out;
}

}  // namespace mycelial::golden
