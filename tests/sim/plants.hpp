// SPDX-License-Identifier: Apache-2.0
// Plants: bugs that the simulator must find, or its laws prove nothing. Each is what a bug in the
// library would leave behind, done from outside: to the files, or to what the disk promises.
#pragma once

#include <string>
#include <vector>

namespace mycelial::sim {

struct Plant {
  std::string name, what;
  enum class When : int {
    committed,  ///< Before the engine hears of an application's commit.
    worked,     ///< Now and then between two things that the engine does.
    opening,    ///< Before the engine opens the file.
    always,     ///< Not by SQL.
  } when;
  std::string sql;  ///< With triggers off.
};

const std::vector<Plant>& plants();
/// Null if there is none of that name.
const Plant* plant_named(const std::string& name);

/// Runs its SQL on the file; what does not work this time may work the next.
void do_harm(const Plant& plant, const std::string& file);
/// Makes the witness of a file (lib/storage/files.hpp) swear to whatever the file is.
void swear(const std::string& file);

}  // namespace mycelial::sim
