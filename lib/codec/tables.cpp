// SPDX-License-Identifier: Apache-2.0
#include "codec/tables.hpp"

#include <limits>

#include "codec/limits.hpp"
#include "core/message.hpp"

namespace mycelial::codec {

namespace {

std::uint32_t get_u32(ByteReader& in, bool& ok) {
  const std::uint64_t v = in.varint();
  if (v > std::numeric_limits<std::uint32_t>::max()) ok = false;
  return static_cast<std::uint32_t>(v);
}

}  // namespace

Status check_major(const char* what, std::uint64_t major) {
  if (major > core::kWireMajor) {
    return {Errc::version, std::string(what) + " has wire version " + std::to_string(major) +
                               ", this build reads version " + std::to_string(core::kWireMajor) +
                               "; upgrade this replica"};
  }
  if (major == 0) return corrupt(std::string(what) + " has no wire version");
  return {};
}

void put_stream(Bytes& out, const core::Stream& stream) {
  out.append(stream.site.view());
  put_varint(out, stream.scope);
  put_varint(out, stream.priority_class);
}

core::Stream get_stream(ByteReader& in, bool& ok) {
  core::Stream out;
  out.site = core::Site::from(in.bytes(16));
  out.scope = get_u32(in, ok);
  out.priority_class = get_u32(in, ok);
  return out;
}

Hash get_hash(ByteReader& in) {
  return Hash::from(in.bytes(16));
}

std::uint64_t get_seq(ByteReader& in, bool& ok) {
  const std::uint64_t seq = in.varint();
  if (seq > kSeqMax) ok = false;
  return seq;
}

Bytes pack_tips(const Tips& tips) {
  Bytes out;
  for (const auto& [stream, tip] : tips) {
    put_stream(out, stream);
    put_varint(out, tip.seq);
    out.append(tip.hash.view());
  }
  return out;
}

Status unpack_tips(ByteView in, Tips& out) {
  ByteReader reader(in);
  bool ok = true;
  while (!reader.at_end()) {
    if (out.size() == kTipsMax) return corrupt("too many tips");
    const core::Stream stream = get_stream(reader, ok);
    core::Tip tip;
    tip.seq = get_seq(reader, ok);
    tip.hash = get_hash(reader);
    if (!ok || !reader.ok()) return corrupt("malformed list of tips");
    out.emplace_back(stream, tip);
  }
  return reader.ok() ? Status() : corrupt("malformed list of tips");
}

Bytes pack_seqs(const Seqs& seqs) {
  Bytes out;
  for (const auto& [stream, seq] : seqs) {
    put_stream(out, stream);
    put_varint(out, seq);
  }
  return out;
}

Status unpack_seqs(ByteView in, Seqs& out) {
  ByteReader reader(in);
  bool ok = true;
  while (!reader.at_end()) {
    if (out.size() == kTipsMax) return corrupt("too many streams");
    const core::Stream stream = get_stream(reader, ok);
    const std::uint64_t seq = get_seq(reader, ok);
    if (!ok || !reader.ok()) return corrupt("malformed list of streams");
    out.emplace_back(stream, seq);
  }
  return reader.ok() ? Status() : corrupt("malformed list of streams");
}

Bytes pack_hashes(const std::vector<Hash>& hashes) {
  Bytes out;
  out.reserve(hashes.size() * 16);
  for (const auto& hash : hashes) out.append(hash.view());
  return out;
}

Status unpack_hashes(ByteView in, std::size_t max, std::vector<Hash>& out) {
  if (in.size() % 16 != 0 || in.size() / 16 > max) return corrupt("malformed list of hashes");
  out.reserve(in.size() / 16);
  for (; !in.empty(); in.remove_prefix(16)) out.push_back(Hash::from(in.substr(0, 16)));
  return {};
}

Status unpack_hash(ByteView in, const char* what, bool optional, Hash& out) {
  if (in.empty() && optional) {
    out = {};
    return {};
  }
  if (in.size() != 16) return corrupt(std::string(what) + " is not a hash of 16 bytes");
  out = Hash::from(in);
  return {};
}

Status unpack_site(ByteView in, core::Site& out) {
  if (in.size() != 16) return corrupt("a site id is not 16 bytes");
  out = core::Site::from(in);
  return {};
}

}  // namespace mycelial::codec
