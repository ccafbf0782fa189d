// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <limits>

#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "codec/tables.hpp"
#include "mycelial/v1/wire.pb.h"

namespace mycelial::codec {

namespace {

constexpr std::uint32_t kPayloadField = 15;

Bytes bytes_of(const Hash& hash) {
  return Bytes(hash.view());
}
Bytes bytes_of(const core::Site& site) {
  return Bytes(site.view());
}

Bytes pack_members(const std::vector<core::MemberNews>& members) {
  Bytes out;
  for (const auto& member : members) {
    out.append(member.site.view());
    put_varint(out, member.beat);
    put_varint(out, member.age_s);
    put_varint(out, member.lacks.size());
    std::uint64_t next = 0;
    for (const auto& [stream, seq] : member.lacks) {
      put_varint(out, stream - next);
      put_varint(out, seq);
      next = std::uint64_t{stream} + 1;
    }
  }
  return out;
}

/// `streams`: how many the members' lists refer to.
Status unpack_members(ByteView in, std::size_t streams, std::vector<core::MemberNews>& out) {
  ByteReader reader(in);
  bool ok = true;
  std::size_t lacks = 0;
  while (!reader.at_end()) {
    if (out.size() == kMembersMax) return corrupt("too many members");
    core::MemberNews member;
    member.site = core::Site::from(reader.bytes(16));
    member.beat = get_seq(reader, ok);
    member.age_s = reader.varint();
    const std::uint64_t count = reader.varint();
    if (count > kLacksMax - lacks || count > reader.left() / 2) {
      return corrupt("a list of members lists too much");
    }
    lacks += count;
    member.lacks.reserve(count);
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t step = reader.varint();
      if (step >= streams - next) return corrupt("a member lacks an unknown stream");
      next += step + 1;
      member.lacks.emplace_back(static_cast<std::uint32_t>(next - 1), get_seq(reader, ok));
    }
    if (!ok || !reader.ok()) return corrupt("malformed list of members");
    out.push_back(std::move(member));
  }
  return reader.ok() ? Status() : corrupt("malformed list of members");
}

Bytes pack_needs(const std::vector<core::WantMessage::Need>& needs) {
  Bytes out;
  for (const auto& need : needs) {
    put_stream(out, need.stream);
    put_varint(out, need.first);
    put_varint(out, need.last);
    put_varint(out, need.attempt);
  }
  return out;
}

Status unpack_needs(ByteView in, std::vector<core::WantMessage::Need>& out) {
  ByteReader reader(in);
  bool ok = true;
  while (!reader.at_end()) {
    if (out.size() == kNeedsMax) return corrupt("a want asks for too many streams");
    core::WantMessage::Need need;
    need.stream = get_stream(reader, ok);
    need.first = reader.varint();
    need.last = reader.varint();
    const std::uint64_t attempt = reader.varint();
    if (attempt > std::numeric_limits<std::uint32_t>::max()) ok = false;
    need.attempt = static_cast<std::uint32_t>(attempt);
    if (!ok || !reader.ok()) return corrupt("malformed list of needs");
    out.push_back(need);
  }
  return reader.ok() ? Status() : corrupt("malformed list of needs");
}

Bytes pack_parts(const std::vector<core::WantMessage::Part>& parts) {
  Bytes out;
  for (const auto& part : parts) {
    out.append(part.unit.view());
    put_varint(out, part.missing.size());
    for (const auto& range : part.missing) {
      put_varint(out, range.begin);
      put_varint(out, range.end - range.begin);
    }
  }
  return out;
}

Status unpack_parts(ByteView in, std::vector<core::WantMessage::Part>& out) {
  ByteReader reader(in);
  std::size_t ranges = 0;
  while (!reader.at_end()) {
    if (out.size() == kPartsMax) return corrupt("a want lists too many units");
    core::WantMessage::Part part;
    part.unit = get_hash(reader);
    const std::uint64_t count = reader.varint();
    if (count > kRangesMax - ranges || count > reader.left() / 2) {
      return corrupt("a want lists too many ranges");
    }
    ranges += count;
    part.missing.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t begin = reader.varint();
      const std::uint64_t size = reader.varint();
      if (begin + size < begin) return corrupt("a range of bytes is malformed");
      part.missing.push_back({begin, begin + size});
    }
    if (!reader.ok()) return corrupt("malformed list of units begun");
    out.push_back(std::move(part));
  }
  return reader.ok() ? Status() : corrupt("malformed list of units begun");
}

Bytes pack_points(const std::vector<core::Tip>& points) {
  Bytes out;
  for (const auto& point : points) {
    put_varint(out, point.seq);
    out.append(point.hash.view());
  }
  return out;
}

Status unpack_points(ByteView in, std::vector<core::Tip>& out) {
  ByteReader reader(in);
  bool ok = true;
  while (!reader.at_end()) {
    if (out.size() == kPointsMax) return corrupt("a probe has too many points");
    core::Tip point;
    point.seq = get_seq(reader, ok);
    point.hash = get_hash(reader);
    if (!ok || !reader.ok()) return corrupt("malformed list of points");
    out.push_back(point);
  }
  return reader.ok() ? Status() : corrupt("malformed list of points");
}

Bytes pack_sums(const std::vector<std::uint32_t>& sums) {
  Bytes out;
  for (const auto sum : sums) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(sum >> shift));
  }
  return out;
}

Status unpack_sums(ByteView in, std::vector<std::uint32_t>& out) {
  const std::size_t count = in.size() / 4;
  if (in.size() % 4 != 0 || !std::has_single_bit(count) || count > kSumsMax) {
    return corrupt("malformed sums of a list");
  }
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (i % 4 == 0) out.push_back(0);
    out.back() |= std::uint32_t{static_cast<std::uint8_t>(in[i])} << (8 * (i % 4));
  }
  return {};
}

/// Fills in the body of a message.
struct Encode {
  v1::Message& out;
  const core::Site& sender;

  void operator()(const core::DigestMessage& m) const {
    auto& pb = *out.mutable_digest();
    pb.set_have(bytes_of(m.have));
    pb.set_list(m.list.sum);
    pb.set_since(m.list.since_ms);
  }
  void operator()(const core::HaveMessage& m) const {
    auto& pb = *out.mutable_have();
    pb.set_number(m.number);
    pb.set_tips(pack_tips(m.tips));
    pb.set_have(bytes_of(m.have));
    pb.set_reply(m.reply);
    pb.set_more(!m.last_part);
    pb.set_push(m.push);
    pb.set_streams(pack_seqs(m.streams));
    pb.set_members(pack_members(m.members));
  }
  void operator()(const core::WantMessage& m) const {
    auto& pb = *out.mutable_want();
    pb.set_to(m.to);
    pb.set_needs(pack_needs(m.needs));
    pb.set_parts(pack_parts(m.parts));
    pb.set_tips(pack_tips(m.tips));
    pb.set_graft(m.graft);
  }
  void operator()(const core::FragMessage& m) const {
    auto& pb = *out.mutable_frag();
    pb.set_unit(bytes_of(m.unit.id));
    pb.set_kind(static_cast<std::uint32_t>(m.unit.kind));
    if (m.unit.stream.site != sender) pb.set_site(bytes_of(m.unit.stream.site));
    pb.set_scope(m.unit.stream.scope);
    pb.set_priority_class(m.unit.stream.priority_class);
    pb.set_first(m.unit.first);
    pb.set_count(m.unit.last - m.unit.first);
    pb.set_size(m.unit.size);
    pb.set_offset(m.offset);
    pb.set_more(m.more);
  }
  void operator()(const core::StopMessage& m) const {
    out.mutable_stop()->set_unit(bytes_of(m.unit));
  }
  void operator()(const core::ProbeMessage& m) const {
    auto& pb = *out.mutable_probe();
    pb.set_site(bytes_of(m.stream.site));
    pb.set_scope(m.stream.scope);
    pb.set_priority_class(m.stream.priority_class);
    pb.set_points(pack_points(m.points));
  }
  void operator()(const core::CompareMessage& m) const {
    auto& pb = *out.mutable_compare();
    pb.set_to(m.to);
    pb.set_list(m.list.sum);
    pb.set_since(m.list.since_ms);
    pb.set_from(m.since_ms);
    pb.set_sums(pack_sums(m.sums));
    pb.set_parts(pack_parts(m.parts));
  }
  void operator()(const core::ByeMessage& m) const {
    out.mutable_bye()->set_reason(m.reason.substr(0, kReasonBytesMax));
  }
};

Status decode_body(const v1::Digest& pb, core::DigestMessage& out) {
  out.list = {pb.list(), pb.since()};
  return unpack_hash(pb.have(), "have", false, out.have);
}

Status decode_body(const v1::Compare& pb, core::CompareMessage& out) {
  out.to = pb.to();
  out.list = {pb.list(), pb.since()};
  out.since_ms = pb.from();
  if (auto status = unpack_parts(pb.parts(), out.parts); !status) return status;
  return unpack_sums(pb.sums(), out.sums);
}

Status decode_body(const v1::Have& pb, core::HaveMessage& out) {
  out.number = pb.number();
  out.reply = pb.reply();
  out.last_part = !pb.more();
  out.push = pb.push() <= 2 ? static_cast<std::uint8_t>(pb.push()) : 0;
  if (auto status = unpack_hash(pb.have(), "have", false, out.have); !status) return status;
  if (auto status = unpack_seqs(pb.streams(), out.streams); !status) return status;
  if (auto status = unpack_members(pb.members(), out.streams.size(), out.members); !status) {
    return status;
  }
  return unpack_tips(pb.tips(), out.tips);
}

Status decode_body(const v1::Want& pb, core::WantMessage& out) {
  out.to = pb.to();
  out.graft = pb.graft();
  if (auto status = unpack_needs(pb.needs(), out.needs); !status) return status;
  if (auto status = unpack_parts(pb.parts(), out.parts); !status) return status;
  return unpack_tips(pb.tips(), out.tips);
}

Status decode_body(const v1::Frag& pb, const core::Site& sender, Bytes payload,
                   core::FragMessage& out) {
  if (pb.kind() < 1 || pb.kind() > 4) return corrupt("a fragment's unit has an unknown kind");
  out.unit.kind = static_cast<core::UnitKind>(pb.kind());
  out.unit.stream = {sender, pb.scope(), pb.priority_class()};
  if (!pb.site().empty()) {
    if (auto status = unpack_site(pb.site(), out.unit.stream.site); !status) return status;
  }
  out.unit.first = pb.first();
  out.unit.last = pb.first() + pb.count();
  if (out.unit.last < out.unit.first || out.unit.last > kSeqMax) {
    return corrupt("a fragment's sequence numbers are out of range");
  }
  out.unit.size = pb.size();
  out.offset = pb.offset();
  out.more = pb.more();
  if (pb.size() > kUnitBytesMax || pb.offset() > pb.size() ||
      payload.size() > pb.size() - pb.offset()) {
    return corrupt("a fragment lies outside of its unit");
  }
  out.bytes = std::move(payload);
  return unpack_hash(pb.unit(), "a unit's id", false, out.unit.id);
}

Status decode_body(const v1::Probe& pb, core::ProbeMessage& out) {
  out.stream.scope = pb.scope();
  out.stream.priority_class = pb.priority_class();
  if (auto status = unpack_site(pb.site(), out.stream.site); !status) return status;
  return unpack_points(pb.points(), out.points);
}

Status decode_any(v1::Message& pb, core::Message& out) {
  switch (pb.body_case()) {
    case v1::Message::kDigest:
      return decode_body(pb.digest(), out.body.emplace<core::DigestMessage>());
    case v1::Message::kHave:
      return decode_body(pb.have(), out.body.emplace<core::HaveMessage>());
    case v1::Message::kWant:
      return decode_body(pb.want(), out.body.emplace<core::WantMessage>());
    case v1::Message::kFrag:
      return decode_body(pb.frag(), out.site, std::move(*pb.mutable_payload()),
                         out.body.emplace<core::FragMessage>());
    case v1::Message::kStop:
      return unpack_hash(pb.stop().unit(), "a unit's id", false,
                         out.body.emplace<core::StopMessage>().unit);
    case v1::Message::kProbe:
      return decode_body(pb.probe(), out.body.emplace<core::ProbeMessage>());
    case v1::Message::kCompare:
      return decode_body(pb.compare(), out.body.emplace<core::CompareMessage>());
    case v1::Message::kBye: {
      const Bytes& reason = pb.bye().reason();
      if (reason.size() > kReasonBytesMax) return corrupt("a bye's reason is too long");
      out.body.emplace<core::ByeMessage>().reason = reason;
      return {};
    }
    case v1::Message::BODY_NOT_SET:
      break;
  }
  return corrupt("a message of an unknown kind");
}

}  // namespace

Bytes encode_message(const core::Message& message) {
  v1::Message pb;
  pb.set_major(core::kWireMajor);
  pb.set_site(bytes_of(message.site));
  pb.set_session(message.session);
  std::visit(Encode{pb, message.site}, message.body);
  Bytes out;
  const auto* frag = std::get_if<core::FragMessage>(&message.body);
  if (frag != nullptr) out.reserve(128 + frag->bytes.size());
  pb.AppendToString(&out);
  if (frag != nullptr) put_bytes_field(out, kPayloadField, frag->bytes);
  return out;
}

Result<core::Message> decode_message(ByteView in) {
  if (in.size() > kMessageBytesMax) return corrupt("a message is too large");
  // Read by hand: a newer version must be named whatever else it changes.
  Field first;
  FieldReader fields(in);
  if (!fields.next(first) || first.number != 1 || first.type != WireType::varint) {
    return corrupt("a message does not start with its version");
  }
  if (auto status = check_major("a message", first.value); !status) return status;
  v1::Message pb;
  if (!pb.ParseFromArray(in.data(), static_cast<int>(in.size()))) {
    return corrupt("a message is malformed");
  }
  if (auto status = check_major("a message", pb.major()); !status) return status;
  core::Message out;
  if (auto status = unpack_site(pb.site(), out.site); !status) return status;
  out.session = pb.session();
  if (auto status = decode_any(pb, out); !status) return status;
  return out;
}

}  // namespace mycelial::codec
