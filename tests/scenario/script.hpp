// SPDX-License-Identifier: Apache-2.0
// A scenario as text: statements, what each is expected to give, and where it stands. The language
// is described in docs/scenarios.md.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace mycelial::scenario {

/// Something is wrong in a script, or was not as the script says.
class Failure : public std::runtime_error {
 public:
  Failure(int where, const std::string& what) : std::runtime_error(what), line(where) {}
  int line;
};

struct Statement {
  enum class Kind {
    sql,      ///< a> SQL
    refused,  ///< a! SQL: SQLite refuses it.
    listing,  ///< a conflicts
    command,  ///< settle
  };
  Kind kind = Kind::command;
  int line = 0;
  std::vector<std::string> sites;  ///< Of sql, refused and listing; "all" is everybody.
  std::string connection;          ///< Of sql and refused: a.second> SQL
  std::string verb;                ///< Of listing and command.
  std::vector<std::string> words;  ///< Of command: what follows the verb.
  std::string text;                ///< SQL; of `schema` what is indented below.
  bool expects = false;            ///< Lines with = follow.
  std::vector<std::string> expected;
};

struct Script {
  std::string rule;  ///< The comment at the top.
  std::vector<Statement> statements;
};

/// Throws Failure.
Script parse(const std::string& text);

}  // namespace mycelial::scenario
