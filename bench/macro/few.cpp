// SPDX-License-Identifier: Apache-2.0
// A few changes in a large database: must not depend on how large it is.
#include <fmt/format.h>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

void few_of(Lab& lab, Kind kind, std::int64_t rows) {
  const Shape shape{kind, true};
  Node author(lab.path("author.db"), shape), reader(lab.path("reader.db"), shape);
  Writer writer(author.client(), shape);
  for (std::int64_t i = 1; i <= rows; i += 50'000) {
    const auto before = author.sealed();
    writer.run(Writer::Op::insert, i, std::min<std::int64_t>(50'000, rows - i + 1), 1000, 0);
    author.seal();
    reader.stage(author.sets(before + 1));
    reader.apply();
  }
  std::vector<double> all, cpu, seal, apply;
  for (int round = 0; round < 21; ++round) {
    author.client().exec("BEGIN");
    for (std::int64_t i = 0; i < 100; ++i) {  // spread over the whole table
      writer.update(1 + (i * 7919 + round * 104729) % rows, round);
    }
    author.client().exec("COMMIT");
    const auto before = author.sealed();
    const auto a = timed([&] { author.seal(); });
    std::vector<Parcel> sets;
    const auto b = timed([&] { sets = author.sets(before + 1); });
    const auto c = timed([&] {
      reader.stage(sets);
      reader.apply();
    });
    if (round == 0) continue;
    seal.push_back(a.wall_s * 1e3);
    apply.push_back(c.wall_s * 1e3);
    all.push_back((a.wall_s + b.wall_s + c.wall_s) * 1e3);
    cpu.push_back((a.cpu_s + b.cpu_s + c.cpu_s) * 1e3);
  }
  lab.value("few",
            fmt::format("100 updates in {} rows, {}: seal + send + apply", rows, name_of(kind)),
            "ms", spread_of(all), 5, false,
            fmt::format("seal {:.2f}, apply {:.2f} by wall time with fsync; {:.2f} of CPU",
                        spread_of(seal).median, spread_of(apply).median, spread_of(cpu).median));
}

}  // namespace

void measure_few(Lab& lab) {
  for (const Kind kind : {Kind::integer_key, Kind::text_key, Kind::keyless}) {
    few_of(lab, kind, lab.options.many_rows);
  }
  few_of(lab, Kind::integer_key, lab.options.many_rows / 10);
}

}  // namespace mycelial::bench
