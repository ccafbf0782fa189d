// SPDX-License-Identifier: Apache-2.0
#include "codec/codec.hpp"
#include "codec/fields.hpp"
#include "codec/limits.hpp"
#include "codec/tables.hpp"
#include "mycelial/v1/unit.pb.h"

namespace mycelial::codec {

namespace {

constexpr std::uint32_t kHeaderField = 1;
constexpr std::uint32_t kBodyField = 2;

Bytes encode_header(const core::Header& header, std::size_t body_bytes) {
  v1::Header pb;
  pb.set_major(core::kWireMajor);
  pb.set_kind(static_cast<std::uint32_t>(header.kind));
  pb.set_site(Bytes(header.stream.site.view()));
  pb.set_scope(header.stream.scope);
  pb.set_priority_class(header.stream.priority_class);
  pb.set_first(header.first);
  pb.set_count(header.last - header.first);
  if (!header.prev.is_zero()) pb.set_prev(Bytes(header.prev.view()));
  pb.set_chain(pack_hashes(header.chain));
  pb.set_deps(pack_tips(header.deps));
  pb.set_base(pack_tips(header.base));
  pb.set_have(pack_tips(header.have));
  pb.set_floor(pack_seqs(header.floor));
  pb.set_full(header.full);
  pb.set_body_bytes(body_bytes);
  return pb.SerializeAsString();
}

Status check_range(const core::Header& header) {
  if (header.last < header.first || header.last > kSeqMax) {
    return corrupt("a unit's sequence numbers are out of range");
  }
  switch (header.kind) {
    case core::UnitKind::set:
      if (header.first == 0 || header.first != header.last) {
        return corrupt("a change set has not exactly one sequence number");
      }
      break;
    case core::UnitKind::fold:
      if (header.first == 0 || header.chain.size() != header.last - header.first + 1) {
        return corrupt("a fold has not one chain hash per set");
      }
      break;
    case core::UnitKind::cut:
    case core::UnitKind::list:
      if (header.last != 0) return corrupt("a cut or list has sequence numbers");
      break;
  }
  return {};
}

/// The version is the first field of every header, whatever else a newer version changes.
Status check_version(ByteView bytes) {
  Field field;
  FieldReader reader(bytes);
  if (!reader.next(field) || field.number != 1 || field.type != WireType::varint) {
    return corrupt("a unit's header does not start with its version");
  }
  return check_major("a unit", field.value);
}

Status decode_header(ByteView bytes, core::Header& out) {
  if (bytes.size() > kHeaderBytesMax) return corrupt("a unit's header is too large");
  if (auto status = check_version(bytes); !status) return status;
  v1::Header pb;
  if (!pb.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("a unit's header is malformed");
  }
  if (auto status = check_major("a unit", pb.major()); !status) return status;
  if (pb.body_encoding() != 0) {
    return {Errc::version, "a unit's body has encoding " + std::to_string(pb.body_encoding()) +
                               ", this build reads encoding 0; upgrade this replica"};
  }
  if (pb.kind() < 1 || pb.kind() > 4) return corrupt("a unit has an unknown kind");
  out.kind = static_cast<core::UnitKind>(pb.kind());
  if (auto status = unpack_site(pb.site(), out.stream.site); !status) return status;
  out.stream.scope = pb.scope();
  out.stream.priority_class = pb.priority_class();
  out.first = pb.first();
  out.last = pb.first() + pb.count();
  out.full = pb.full();
  out.body_bytes = pb.body_bytes();
  if (auto status = unpack_hash(pb.prev(), "prev", true, out.prev); !status) return status;
  if (auto status = unpack_hashes(pb.chain(), kChainMax, out.chain); !status) return status;
  if (auto status = unpack_tips(pb.deps(), out.deps); !status) return status;
  if (auto status = unpack_tips(pb.base(), out.base); !status) return status;
  if (auto status = unpack_tips(pb.have(), out.have); !status) return status;
  if (auto status = unpack_seqs(pb.floor(), out.floor); !status) return status;
  return check_range(out);
}

}  // namespace

Bytes encode_unit_head(const core::Header& header, std::uint64_t body_bytes) {
  Bytes out;
  put_tag(out, kHeaderField, WireType::bytes);
  put_prefixed(out, encode_header(header, body_bytes));
  put_tag(out, kBodyField, WireType::bytes);
  put_varint(out, body_bytes);
  return out;
}

Bytes encode_unit(const core::Header& header, ByteView body) {
  Bytes out = encode_unit_head(header, body.size());
  out.append(body);
  return out;
}

Result<UnitView> decode_unit(ByteView in) {
  Field head;
  Field body;
  FieldReader reader(in);
  if (!reader.next(head) || head.number != kHeaderField || head.type != WireType::bytes) {
    return corrupt("a unit has no header");
  }
  UnitView out;
  // Before anything else, so that a newer version is named even if it changes the frame.
  if (auto status = decode_header(head.bytes, out.header); !status) return status;
  if (!reader.next(body) || body.number != kBodyField || body.type != WireType::bytes) {
    return corrupt("a unit has no body");
  }
  const std::size_t size = 2 + varint_bytes(head.bytes.size()) + head.bytes.size() +
                           varint_bytes(body.bytes.size()) + body.bytes.size();
  if (in.size() != size) return corrupt("a unit has bytes that its id does not cover");
  if (out.header.body_bytes != body.bytes.size()) {
    return corrupt("a unit's body is not as long as its header says");
  }
  out.body = body.bytes;
  out.id = hash_parts({"mycelial unit 1", head.bytes, body.bytes});
  return out;
}

}  // namespace mycelial::codec
