// SPDX-License-Identifier: Apache-2.0
// The command as users run it: two processes, their time and memory, and the size of what ships.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "macro/child.hpp"
#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

struct Trip {
  double wall_s = 0, cpu_s = 0;
  double server_mib = 0, client_mib = 0;
};

/// `mycelial sync` of an empty file from a served one, process starts included (of the client).
Trip sync_once(Lab& lab, Shape shape, const std::string& from) {
  const auto to = lab.path("fresh.db");
  { Node fresh(to, shape, false); }
  Server server(lab.options.tool, from);
  const auto start = std::chrono::steady_clock::now();
  Child client({lab.options.tool, "sync", to, server.endpoint(), "--timeout", "300"});
  if (client.wait() != 0) std::exit(1);
  Trip out;
  out.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  server.process().stop();
  out.cpu_s = client.cpu_s() + server.process().cpu_s();
  out.server_mib = server.process().peak_mib();
  out.client_mib = client.peak_mib();
  return out;
}

double copy_once(Lab& lab, Shape shape, const std::string& from) {
  const auto to = lab.path("copy.db");
  remove_database(to);
  {
    Database db(to);
    db.exec(create_sql(shape));
  }
  const auto start = std::chrono::steady_clock::now();
  Child copy({lab.options.self, "--copy", from, to});
  if (copy.wait() != 0) std::exit(1);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void fill(Lab& lab, Shape shape, const std::string& path, std::int64_t rows) {
  Node node(path, shape, false);
  Writer(node.client(), shape).run(Writer::Op::insert, 1, rows, 1000, 0);
  node.client().checkpoint();
  (void)lab;
}

void bootstrap(Lab& lab, Kind kind) {
  const Shape shape{kind, true};
  const auto from = lab.path("served.db");
  std::vector<double> ratios, ours, plain;
  for (int i = 0; i < lab.options.rounds; ++i) {
    if (i == 0) {
      fill(lab, shape, from, lab.options.rows);
      sync_once(lab, shape, from);  // seals; measured apart
    }
    plain.push_back(copy_once(lab, shape, from));
    ours.push_back(sync_once(lab, shape, from).wall_s);
    ratios.push_back(ours.back() / plain.back());
  }
  lab.value("processes",
            fmt::format("sync of {} rows into an empty file, {}, against INSERT ... SELECT",
                        lab.options.rows, name_of(kind)),
            "x", spread_of(ratios), 1.5, false,
            fmt::format("{:.2f} s, plain {:.2f} s, by wall time", spread_of(ours).median,
                        spread_of(plain).median));
}

void memory(Lab& lab) {
  const Shape shape{Kind::integer_key, true};
  const auto from = lab.path("served.db");
  fill(lab, shape, from, lab.options.many_rows);
  const auto trip = sync_once(lab, shape, from);
  const auto name = fmt::format("{} rows: peak memory of ", lab.options.many_rows);
  const auto one = [](double v) { return Spread{v, v, v}; };
  lab.value("processes", name + "the one that seals and sends", "MiB", one(trip.server_mib), 64);
  lab.value("processes", name + "the one that applies", "MiB", one(trip.client_mib), 64);
  lab.value("processes",
            fmt::format("{} rows: seal + send + apply, CPU of both", lab.options.many_rows), "s",
            one(trip.cpu_s));
  { Node empty(lab.path("fresh.db"), shape, false); }
  Server server(lab.options.tool, lab.path("fresh.db"));
  Child& idle = server.process();
  idle.stop();
  lab.value("processes", "memory of a node that has just started", "MiB", one(idle.peak_mib()), 10);
}

void sizes(Lab& lab) {
  const auto stripped = [&](const std::string& file, const char* name, double target) {
    if (file.empty()) return;
    const auto copy = lab.path("stripped");
    Child strip({"/usr/bin/strip", "-o", copy, file});
    if (strip.wait() != 0) return;
    const double mib = static_cast<double>(std::filesystem::file_size(copy)) / 1048576;
    lab.value("processes", name, "MiB", {mib, mib, mib}, target);
  };
  stripped(lab.options.tool, "command, stripped", 6);
  stripped(lab.options.library, "library, stripped", 6);
}

}  // namespace

void measure_processes(Lab& lab) {
  sizes(lab);
  bootstrap(lab, Kind::integer_key);
  bootstrap(lab, Kind::keyless);
  memory(lab);
}

}  // namespace mycelial::bench
