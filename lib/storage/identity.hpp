// SPDX-License-Identifier: Apache-2.0
// Identities: what names a row on every replica (docs/merge.md).
//   'K' + canonical key values   rows of a declared key; equal for values that the key's index
//                                holds equal (1 and 1.0; 'bob' and 'BOB' under NOCASE)
//   'H' + site + number + random rows whose identity is ours: no key, a NULL in the key, or an
//                                automatic integer key. (site, number): where and as which journal
//                                entry the row was captured; random tells two copies of a file
//                                apart.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "storage/table_info.hpp"

namespace mycelial::storage {

struct HiddenIdentity {
  core::Site site;  ///< The baseline for rows found at track.
  std::uint64_t number = 0;
  std::uint32_t random = 0;
  auto operator<=>(const HiddenIdentity&) const = default;
};

core::Identity encode_identity(const HiddenIdentity& id);
bool is_key_identity(ByteView id);
/// 32 bits of a byte string; not for strangers' bytes.
std::uint32_t short_hash(ByteView bytes);
/// A hash of a key identity, not 0: enough to find the key among those of a table.
std::uint32_t key_witness(ByteView id);
/// Nothing if it is not one, or malformed.
std::optional<HiddenIdentity> hidden_identity(ByteView id);

/// What a row that is dead for good is known by: its identity, or 'D' and a hash of a long one.
Bytes grave_name(ByteView identity);
bool is_grave_name(ByteView id);  ///< Such a hash.

/// Appends the canonical form of a key value.
void put_canonical(Bytes& out, const core::Value& value, Collation collation);
/// The identity of a key; nothing if a value is NULL (and the table's key allows that).
/// `values` are in key order.
std::optional<core::Identity> key_identity(const TableInfo& table,
                                           std::span<const core::Value> values);
/// Key values, in key order, that SQLite compares equal to the originals. They view `id`.
/// Nothing if malformed.
std::optional<std::vector<core::Value>> key_values(ByteView id);

/// For people: the key as SQL literals, or the hidden identity in short.
std::string describe_identity(ByteView id);

}  // namespace mycelial::storage
