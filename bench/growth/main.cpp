// SPDX-License-Identifier: Apache-2.0
// mycelial_growth: how the cost of a change grows. Writes JSON for bench/draw.py.
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "growth/growth.hpp"

namespace mycelial::bench {

void Growth::add(const char* picture, const char* curve, const char* unit, std::int64_t x,
                 double value) {
  points.push_back({picture, curve, unit, x, value});
  std::fprintf(stderr, "%s: %s, %lld: %.4g %s\n", picture, curve, static_cast<long long>(x), value,
               unit);
}

namespace {

int run(int argc, char** argv) {
  Growth growth;
  bool good = argc % 2 == 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i];
    const auto value = std::atoll(argv[i + 1]);
    if (word == "--rows") {
      growth.rows_max = value;
    } else if (word == "--changes") {
      growth.changes_max = value;
    } else if (word == "--replicas") {
      growth.replicas_max = static_cast<int>(value);
    } else {
      good = false;
    }
  }
  if (!good) {
    std::fputs("mycelial_growth [--rows MAX] [--changes MAX] [--replicas MAX] > growth.json\n",
               stderr);
    return 2;
  }
  growth.folder = std::filesystem::temp_directory_path() / "mycelial-growth-XXXXXX";
  if (!::mkdtemp(growth.folder.data())) return 1;
  grow_rows(growth);
  grow_history(growth);
  grow_fleet(growth);
  std::filesystem::remove_all(growth.folder);
  std::string out;
  for (const auto& p : growth.points) {
    out += fmt::format(
        "{}{{\"picture\": \"{}\", \"curve\": \"{}\", \"unit\": \"{}\", \"x\": {}, \"value\": "
        "{:.6g}}}",
        out.empty() ? "[\n" : ",\n", p.picture, p.curve, p.unit, p.x, p.value);
  }
  std::printf("%s\n]\n", out.c_str());
  return 0;
}

}  // namespace
}  // namespace mycelial::bench

int main(int argc, char** argv) {
  return mycelial::bench::run(argc, argv);
}
