// SPDX-License-Identifier: Apache-2.0
// The structures behind the golden vectors. Each vector lives in v1/NAME.txt: its text twin, then
// its bytes.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace mycelial::golden {

enum class Form : std::uint8_t {
  canonical,  ///< Encoding the text's structure gives these bytes.
  tolerated,  ///< Decodes to the text, but this version would not write it so.
  refused,    ///< Gives the error that the text names.
};

struct Vector {
  std::string name;
  Form form = Form::canonical;
  bool is_unit = false;
  Bytes bytes;       ///< As encoded now.
  std::string text;  ///< Made from the structures, without decoding; "error CODE" if refused.
};

std::vector<Vector> vectors();

/// A schema that the receiver knows already: unit_known_schema does not bring it.
const core::Schema& known_schema();

}  // namespace mycelial::golden
