// SPDX-License-Identifier: Apache-2.0
// Random schemas and random SQL over what the schema is by then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/invisible/model.hpp"
#include "tests/invisible/pair.hpp"
#include "tests/sim/random.hpp"

namespace mycelial::invisible {

class Generator {
 public:
  /// `careful`: nothing that SQLite does otherwise where a table has any trigger at all.
  Generator(std::uint64_t seed, bool careful) : random_(seed), careful_(careful) {}

  Script schema();        ///< Tables.
  Script before_track();  ///< Indexes, views and triggers.
  Script rows();          ///< A few.
  /// The next statements; usually one. `db` is as the ones before left it.
  Script next(Client& db);
  /// Reads the schema anew, if it has changed, and now and then how many rows there are.
  void look(Client& db);

 private:
  // schema.cpp
  std::string create_table(const std::string& name);
  std::string column_of(const std::string& name, bool strict, bool may_be_unique, bool may_refer);
  std::string table_constraints(const std::vector<std::string>& columns, bool strict);
  std::string create_index(const Table& t);
  std::string create_view();
  std::string create_trigger();
  std::string trigger_body(const Table& t, const std::string& event);
  std::string in_trigger(const Table& t, const std::string& from);
  Script change_schema(bool in_transaction);

  // generator.cpp
  std::string value(const std::string& type, bool must_fit = false);
  std::string value_for(const Table& t, const Column& c);
  std::string any_value() { return value(""); }
  std::string expression(const Table& t, const Column& c);
  std::string where(const Table& t);
  std::string where_for_write(const Table& t);
  std::string by_key(const Table& t);
  std::string conflict(const char* verb);
  std::string assignment(const Table& t);
  std::string assignments(const Table& t);
  std::string returning(const Table& t);
  std::string insert(const Table& t);
  std::string upsert(const Table& t);
  std::string update(const Table& t);
  std::string remove(const Table& t);
  std::string select(const Table& t);
  std::string pragma();
  std::string transaction(bool open);
  std::string write();
  std::string fresh_name(const char* prefix);

  const Table& any(bool views);
  bool chance(double p) { return random_.chance(p); }
  std::string one_of(const std::vector<std::string>& from) { return random_.pick(from); }

  sim::Random random_;
  bool careful_;
  bool refers_ = false;  // there are foreign keys
  Model model_;
  int names_ = 0;
  std::string version_;  // of the schema
  int looks_ = 0;
};

}  // namespace mycelial::invisible
