// SPDX-License-Identifier: Apache-2.0
// mycelial_bench: what mycelial costs, against plain SQLite in the same run.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

struct Section {
  const char* name;
  void (*run)(Lab&);
};
constexpr Section kSections[] = {
    {"writes", measure_writes},       {"seal", measure_seal}, {"wire", measure_wire},
    {"apply", measure_apply},         {"size", measure_size}, {"few", measure_few},
    {"processes", measure_processes},
};

std::string machine() {
  std::string model = "unknown processor", line;
  std::ifstream cpu("/proc/cpuinfo");
  while (std::getline(cpu, line)) {
    if (!line.starts_with("model name")) continue;
    model = line.substr(line.find(':') + 2);
    break;
  }
  struct sysinfo info {};
  ::sysinfo(&info);
  return fmt::format(
      "{} x {}, {} GiB of memory, SQLite {}, GCC {}.{}, {} build. Application and plain file: WAL, "
      "synchronous = NORMAL. Ratios are by CPU time unless they say otherwise, medians of "
      "interleaved runs; spread is lowest .. highest.\n",
      std::thread::hardware_concurrency(), model,
      (info.totalram * info.mem_unit + (1u << 29)) >> 30, sqlite3_libversion(), __GNUC__,
      __GNUC_MINOR__, MYCELIAL_BUILD_TYPE);
}

int copy(const char* from, const char* to) {
  Database db(to);
  db.exec(fmt::format("ATTACH '{}' AS source", from));
  db.exec("INSERT INTO main.t SELECT * FROM source.t");
  return 0;
}

int usage() {
  std::fputs(
      "mycelial_bench [--only SECTION[,SECTION...]] [--rounds N] [--rows N] [--many-rows N]\n"
      "               [--folder EMPTY] [--tool PATH] [--library PATH] [--json FILE]\n"
      "               [--markdown FILE]\nsections:",
      stderr);
  for (const auto& s : kSections) std::fprintf(stderr, " %s", s.name);
  std::fputs("\n", stderr);
  return 2;
}

bool wanted(const std::string& only, const char* name) {
  return only.empty() || ("," + only + ",").find("," + std::string(name) + ",") != only.npos;
}

int run(int argc, char** argv) {
  if (argc == 4 && !std::strcmp(argv[1], "--copy")) return copy(argv[2], argv[3]);
  Lab lab;
  lab.options.tool = MYCELIAL_TOOL;
  lab.options.library = MYCELIAL_LIBRARY;
  lab.options.self = std::filesystem::read_symlink("/proc/self/exe");
  std::string only, json, markdown, folder;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--only") {
      only = value;
    } else if (word == "--rounds") {
      lab.options.rounds = std::max(1, std::atoi(value.c_str()));
    } else if (word == "--rows") {
      lab.options.rows = std::max(1000LL, std::atoll(value.c_str()));
    } else if (word == "--many-rows") {
      lab.options.many_rows = std::max(1000LL, std::atoll(value.c_str()));
    } else if (word == "--folder") {
      folder = value;
    } else if (word == "--tool") {
      lab.options.tool = value;
    } else if (word == "--library") {
      lab.options.library = value;
    } else if (word == "--json") {
      json = value;
    } else if (word == "--markdown") {
      markdown = value;
    } else {
      return usage();
    }
  }
  if (argc % 2 == 0) return usage();
  if (folder.empty()) folder = std::filesystem::temp_directory_path() / "mycelial-bench-XXXXXX";
  if (folder.ends_with("XXXXXX") && !::mkdtemp(folder.data())) return 1;
  lab.options.folder = folder;
  for (const auto& section : kSections) {
    if (wanted(only, section.name)) section.run(lab);
  }
  std::filesystem::remove_all(folder);
  const auto text = machine() + "\n" + lab.report.markdown();
  if (!json.empty()) std::ofstream(json) << lab.report.json();
  if (!markdown.empty()) std::ofstream(markdown) << text;
  if (markdown.empty()) std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace mycelial::bench

int main(int argc, char** argv) {
  return mycelial::bench::run(argc, argv);
}
