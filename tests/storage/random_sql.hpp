// SPDX-License-Identifier: Apache-2.0
// Random schemas, and random SQL for them.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/storage/history.hpp"

namespace mycelial::test {

class RandomSql {
 public:
  RandomSql(std::mt19937& random, const Flavour& flavour);
  std::string schema() const { return schema_; }
  /// One statement, or a few in a transaction.
  std::string script();
  std::string statement();
  std::string insert();

 private:
  struct Column {
    std::string name, type;
    bool key = false;  // of the primary key or a UNIQUE
    bool not_null = false;
  };
  struct Table {
    std::string name;
    std::vector<Column> columns;
    std::vector<std::string> targets;  // conflict targets of upserts
    bool automatic = false;            // INTEGER PRIMARY KEY
    bool rowid = true;
  };
  unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }
  bool chance(unsigned percent) { return pick(100) < percent; }
  template <class T>
  const T& one_of(const std::vector<T>& from) {
    return from[pick(static_cast<unsigned>(from.size()))];
  }
  std::string value(const Column& column);
  std::string conflict();
  std::string where(const Table& t);
  std::string assignments(const Table& t);
  std::string insert_into(const Table& t);
  std::string update(const Table& t);
  Table make_table(const std::string& name, const Flavour& flavour);
  void add_key(Table& t, std::string& columns, std::string& constraints, std::string& options);
  void add_indexes(Table& t);
  void add_triggers();

  std::mt19937& random_;
  Flavour flavour_;
  std::vector<Table> tables_;
  std::string schema_;
};

}  // namespace mycelial::test
