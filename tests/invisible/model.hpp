// SPDX-License-Identifier: Apache-2.0
// The schema as the generator needs it, read from the untracked file.
#pragma once

#include <string>
#include <vector>

#include "tests/invisible/client.hpp"

namespace mycelial::invisible {

struct Column {
  std::string name, type;
  bool generated = false;
  bool key = false;
};

struct Table {
  std::string name;
  bool is_view = false;
  bool has_rowid = false;
  bool strict = false;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> uniques;  ///< What ON CONFLICT can name.
  int rows = 0;
  /// Columns that a statement can write.
  std::vector<Column> writable() const;
};

struct Model {
  std::vector<Table> tables;  ///< And views.
  std::vector<std::string> indexes, triggers;
};

Model read_model(Client& db);

}  // namespace mycelial::invisible
