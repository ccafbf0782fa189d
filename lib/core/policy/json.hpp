// SPDX-License-Identifier: Apache-2.0
// Takes JSON arrays and objects (RFC 8259) apart, one level deep. Blank space outside strings goes;
// everything else stays as it was spelled.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace mycelial::core {

/// The elements, sorted, each once. Nothing if the text is no JSON array.
std::optional<std::vector<Bytes>> split_array(ByteView text);
/// Keys (with their quotes) and values, sorted by key; of equal keys the last counts. Nothing if
/// the text is no JSON object.
std::optional<std::vector<std::pair<Bytes, Bytes>>> split_object(ByteView text);

}  // namespace mycelial::core
