// SPDX-License-Identifier: Apache-2.0
// Sealing: rows a second from the journal to a change set on disk.
#include <fmt/format.h>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

constexpr double kTarget = 250'000;

void rate(Lab& lab, const std::string& name, std::int64_t rows,
          const std::vector<double>& seconds) {
  std::vector<double> rates;
  for (const double s : seconds) rates.push_back(static_cast<double>(rows) / s);
  lab.value("seal", name, "rows/s", spread_of(rates), kTarget, true, "by CPU time");
}

void seal_kind(Lab& lab, Kind kind, bool one_row_each) {
  const Shape shape{kind, true};
  const std::int64_t rows = lab.options.rows / 2;
  const std::int64_t batch = one_row_each ? 1 : 1000;
  std::vector<double> inserts, updates, deletes;
  for (int round = 0; round < (lab.options.rounds + 1) / 2; ++round) {
    Node node(lab.path("seal.db"), shape);
    Writer writer(node.client(), shape);
    const auto measure = [&](Writer::Op op, std::vector<double>& out) {
      writer.run(op, 1, rows, batch, round);
      out.push_back(timed([&] { node.seal(); }).cpu_s);
    };
    measure(Writer::Op::insert, inserts);
    measure(Writer::Op::update, updates);
    measure(Writer::Op::erase, deletes);
  }
  const std::string of = std::string(name_of(kind)) + (one_row_each ? ", 1 row a transaction" : "");
  rate(lab, "inserts, " + of, rows, inserts);
  rate(lab, "updates of 2 of 8, " + of, rows, updates);
  rate(lab, "deletes, " + of, rows, deletes);
}

}  // namespace

void measure_seal(Lab& lab) {
  for (const Kind kind : {Kind::integer_key, Kind::automatic_key, Kind::text_key,
                          Kind::without_rowid, Kind::keyless}) {
    seal_kind(lab, kind, false);
  }
}

}  // namespace mycelial::bench
