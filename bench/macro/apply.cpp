// SPDX-License-Identifier: Apache-2.0
// Applying: a replica that gets rows, against plain statements of the same rows in one transaction.
#include <fmt/format.h>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

/// The author: `rows` rows in sets of `per_set`, then an update of a quarter of them.
struct Author {
  std::vector<Parcel> inserts, updates;
  Parcel cut;
};

Author write_all(Lab& lab, Shape shape, std::int64_t rows, std::int64_t per_set) {
  Author out;
  Node node(lab.path("author.db"), shape);
  Writer writer(node.client(), shape);
  for (std::int64_t i = 1; i <= rows; i += per_set) {
    writer.run(Writer::Op::insert, i, std::min(per_set, rows - i + 1), 1000, 0);
    node.seal();
  }
  out.inserts = node.sets();
  out.cut = node.cut();
  const auto before = node.sealed();
  writer.run(Writer::Op::update, 1, rows / 4, 1000, 1);
  node.seal();
  out.updates = node.sets(before + 1);
  return out;
}

class Race {
 public:
  Race(Lab& lab, Shape shape, std::int64_t rows, std::int64_t per_set, int rounds)
      : lab_(lab), shape_(shape), rows_(rows), per_set_(per_set), rounds_(rounds) {}

  void run() {
    const auto author = write_all(lab_, shape_, rows_, per_set_);
    const auto name = fmt::format("{} rows, {}{}, {} a set", rows_, name_of(shape_.kind),
                                  shape_.policies ? ", counter and max" : "", per_set_);
    const int rounds = lab_.options.rounds;
    lab_.options.rounds = rounds_;
    std::vector<double> again;
    double first = 0;
    lab_.compare(
        "apply", "into empty: " + name, 1.2, static_cast<double>(rows_),
        [&] {
          auto node = std::make_unique<Node>(lab_.path("reader.db"), shape_);
          const auto t = give(*node, author.inserts);
          first = t.cpu_s;
          again.push_back(first / std::max(give(*node, author.inserts).cpu_s, 1e-6));
          return t;
        },
        [&] { return plain_inserts(); });
    lab_.value("apply", "sets known already: " + name, "x faster", spread_of(again), 10, true);
    updates(author, name);
    both_changed(author, name);
    lab_.options.rounds = rounds;
  }

 private:
  static Times give(Node& node, const std::vector<Parcel>& parcels) {
    return timed([&] {
      node.stage(parcels);
      node.apply();
    });
  }
  Times plain_inserts() {
    remove_database(lab_.path("plain.db"));
    Database db(lab_.path("plain.db"));
    db.exec(create_sql(shape_));
    Writer writer(db, shape_);
    return timed([&] { writer.run(Writer::Op::insert, 1, rows_, rows_, 0); });
  }
  void updates(const Author& author, const std::string& name) {
    std::vector<double> cut_again;
    lab_.compare(
        "apply", "cut into empty: " + name, 1.2, static_cast<double>(rows_),
        [&] {
          Node node(lab_.path("reader.db"), shape_);
          const auto t = give(node, {author.cut});
          cut_again.push_back(t.cpu_s / give(node, {author.cut}).cpu_s);
          return t;
        },
        [&] { return plain_inserts(); });
    lab_.value("apply", "cut known already: " + name, "x faster", spread_of(cut_again), 10, true);
    lab_.compare(
        "apply", "updates of 2 of 8: " + name, 1.5, static_cast<double>(rows_) / 4,
        [&] {
          Node node(lab_.path("reader.db"), shape_);
          give(node, author.inserts);
          return give(node, author.updates);
        },
        [&] { return plain_updates(); });
  }

  /// Each side has updated the rows that the other one has; every change meets a concurrent one.
  void both_changed(const Author& author, const std::string& name) {
    lab_.compare(
        "apply", "updates of what was also updated here: " + name, 1.5,
        static_cast<double>(rows_) / 4,
        [&] {
          Node node(lab_.path("reader.db"), shape_);
          give(node, author.inserts);
          Writer writer(node.client(), shape_);
          writer.run(Writer::Op::update, 1, rows_ / 4, 1000, 2);
          node.seal();
          return give(node, author.updates);
        },
        [&] { return plain_updates(); });
  }
  Times plain_updates() {
    remove_database(lab_.path("plain.db"));
    Database db(lab_.path("plain.db"));
    db.exec(create_sql(shape_));
    Writer writer(db, shape_);
    writer.run(Writer::Op::insert, 1, rows_, rows_, 0);
    return timed([&] { writer.run(Writer::Op::update, 1, rows_ / 4, rows_ / 4, 1); });
  }

  Lab& lab_;
  Shape shape_;
  std::int64_t rows_, per_set_;
  int rounds_;
};

}  // namespace

void measure_apply(Lab& lab) {
  const auto rows = lab.options.rows;
  Race(lab, {Kind::integer_key, true}, rows, rows, lab.options.rounds).run();
  Race(lab, {Kind::integer_key, true}, rows, 1000, (lab.options.rounds + 1) / 2).run();
  for (const Kind kind :
       {Kind::automatic_key, Kind::text_key, Kind::without_rowid, Kind::keyless}) {
    Race(lab, {kind, true}, rows, rows, (lab.options.rounds + 1) / 2).run();
  }
  Race(lab, {Kind::integer_key, true, false, true}, rows, rows, (lab.options.rounds + 1) / 2).run();
}

}  // namespace mycelial::bench
