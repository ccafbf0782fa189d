// SPDX-License-Identifier: Apache-2.0
// Packed tables: fixed fields one after the other inside one protobuf `bytes`. Every entry takes at
// least 16 bytes, so memory stays proportional to the input (docs/wire.md).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"

namespace mycelial::codec {

using Tips = std::vector<std::pair<core::Stream, core::Tip>>;
using Seqs = std::vector<std::pair<core::Stream, std::uint64_t>>;

inline Status corrupt(std::string what) {
  return {Errc::corrupt, std::move(what)};
}
/// Refuses a newer major version by name.
Status check_major(const char* what, std::uint64_t major);

void put_stream(Bytes& out, const core::Stream& stream);
core::Stream get_stream(ByteReader& in, bool& ok);
Hash get_hash(ByteReader& in);
std::uint64_t get_seq(ByteReader& in, bool& ok);

Bytes pack_tips(const Tips& tips);
Status unpack_tips(ByteView in, Tips& out);
Bytes pack_seqs(const Seqs& seqs);
Status unpack_seqs(ByteView in, Seqs& out);
Bytes pack_hashes(const std::vector<Hash>& hashes);
Status unpack_hashes(ByteView in, std::size_t max, std::vector<Hash>& out);

/// Exactly 16 bytes, or nothing where `optional`.
Status unpack_hash(ByteView in, const char* what, bool optional, Hash& out);
Status unpack_site(ByteView in, core::Site& out);

}  // namespace mycelial::codec
