// SPDX-License-Identifier: Apache-2.0
// The application's side of the example: plain SQLite.
#pragma once

#include <sqlite3.h>

#include <cstdlib>
#include <iostream>
#include <string>

inline int run_sql(const std::string& path, const char* statement) {
  int rows = 0;
  const auto print = [](void* count, int columns, char** values, char**) {
    ++*static_cast<int*>(count);
    for (int i = 0; i < columns; ++i) std::cout << (values[i] ? values[i] : "NULL") << ' ';
    std::cout << '\n';
    return 0;
  };
  sqlite3* db = nullptr;
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK ||
      sqlite3_exec(db, statement, print, &rows, nullptr) != SQLITE_OK) {
    std::cerr << path << ": " << sqlite3_errmsg(db) << '\n';
    std::exit(1);
  }
  sqlite3_close(db);
  return rows;
}

inline int print_rows(const std::string& path) {
  return run_sql(path, "SELECT * FROM notes ORDER BY id");
}
