// SPDX-License-Identifier: Apache-2.0
// Bytes on disk of a file of many rows, beside the plain file of the same rows.
#include <fmt/format.h>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

void size_kind(Lab& lab, Kind kind) {
  const Shape shape{kind, true};
  const auto rows = lab.options.many_rows;
  double plain = 0;
  {
    remove_database(lab.path("plain.db"));
    Database db(lab.path("plain.db"));
    db.exec(create_sql(shape));
    Writer(db, shape).run(Writer::Op::insert, 1, rows, 1000, 0);
    db.checkpoint();
    plain = static_cast<double>(file_bytes(lab.path("plain.db")));
  }
  const auto path = lab.path("size.db");
  const auto report = [&](const char* what, Database& db, std::optional<double> target) {
    db.checkpoint();
    const double file = static_cast<double>(file_bytes(path));
    const double beside = static_cast<double>(beside_bytes(path));
    const double unused =
        static_cast<double>(db.integer("PRAGMA freelist_count") * db.integer("PRAGMA page_size"));
    const double r = (file - unused) / plain;
    lab.value("size", fmt::format("{}, {} rows, {}", what, rows, name_of(kind)), "x", {r, r, r},
              target, false,
              fmt::format("{:.2f} with free pages, {:.2f} more in sets beside the file",
                          file / plain, beside / plain));
  };
  std::vector<Parcel> sets;
  {
    Node node(path, shape);
    Writer writer(node.client(), shape);
    for (std::int64_t i = 1; i <= rows; i += 10'000) {
      writer.run(Writer::Op::insert, i, std::min<std::int64_t>(10'000, rows - i + 1), 1000, 0);
      node.seal();
      for (auto& p : node.sets(node.sealed())) sets.push_back(std::move(p));
    }
    report("author, sealed as written", node.client(), 1.1);
  }
  {
    Node node(path, shape);
    for (std::size_t i = 0; i < sets.size(); ++i) {
      node.stage({sets[i]});
      node.apply();
    }
    report("peer, applied", node.client(), 1.1);
  }
  sets.clear();
  {
    Node node(path, shape);
    Writer(node.client(), shape).run(Writer::Op::insert, 1, rows, 1000, 0);
    report("not sealed yet", node.client(), 1.6);
    node.seal();
    report("sealed at once", node.client(), 1.1);
  }
}

}  // namespace

void measure_size(Lab& lab) {
  size_kind(lab, Kind::integer_key);
  size_kind(lab, Kind::keyless);
}

}  // namespace mycelial::bench
