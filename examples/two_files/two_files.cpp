// SPDX-License-Identifier: Apache-2.0
// Two SQLite files, two sites, one network. The application writes with plain SQLite.
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "mycelial/mycelial.hpp"

namespace {

void check(const mycelial::Status& status) {
  if (status.ok()) return;
  std::cerr << status.to_string() << '\n';
  std::exit(1);
}

/// The application. It knows nothing of mycelial.
void sql(const std::string& path, const char* statement) {
  sqlite3* db = nullptr;
  const auto print = [](void*, int columns, char** values, char**) {
    for (int i = 0; i < columns; ++i)
      std::cout << (i ? " | " : "  ") << (values[i] ? values[i] : "");
    std::cout << '\n';
    return 0;
  };
  char* message = nullptr;
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK ||
      sqlite3_exec(db, statement, print, nullptr, &message) != SQLITE_OK) {
    std::cerr << path << ": " << (message ? message : sqlite3_errmsg(db)) << '\n';
    std::exit(1);
  }
  sqlite3_close(db);
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder = argc > 1 ? argv[1] : std::filesystem::temp_directory_path();
  const std::filesystem::path here = folder / "mycelial_two_files";
  std::filesystem::remove_all(here);
  std::filesystem::create_directories(here);
  const std::string drone = here / "drone.db", humvee = here / "humvee.db";
  const char* const schema =
      "CREATE TABLE drones(drone_id INTEGER, latitude REAL, longitude REAL, altitude INTEGER,"
      " timestamp TEXT)";
  sql(drone, schema);
  sql(humvee, schema);

  auto a = mycelial::Replica::open(drone);
  check(a.status());
  auto b = mycelial::Replica::open(humvee);
  check(b.status());
  check((*a)->track("drones"));
  check((*b)->track("drones"));

  sql(drone, "INSERT INTO drones VALUES (1, 40.7128, -74.0060, 500, '2023-09-11 12:34:56')");
  sql(humvee, "INSERT INTO drones VALUES (2, 40.7306, -73.9352, 320, '2023-09-11 12:35:10')");

  auto endpoint = (*a)->listen("tcp://127.0.0.1:0");
  check(endpoint.status());
  check((*b)->sync(*endpoint, 30'000));

  for (const std::string& path : {drone, humvee}) {
    std::cout << std::filesystem::path(path).filename().string() << '\n';
    sql(path, "SELECT * FROM drones ORDER BY timestamp DESC");
  }
  auto one = (*a)->digest(), other = (*b)->digest();
  check(one.status());
  check(other.status());
  return *one == *other ? 0 : 1;
}
