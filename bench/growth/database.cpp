// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "growth/growth.hpp"
#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

constexpr Shape kShape{Kind::integer_key, true};
constexpr std::int64_t kChanges = 100;
constexpr int kRounds = 15;
constexpr std::int64_t kFew = 10'000;

/// An author, a reader that has all of it, and a plain file with the same rows.
class Trio {
 public:
  explicit Trio(const Growth& growth)
      : author_(growth.folder + "/author.db", kShape),
        reader_(growth.folder + "/reader.db", kShape),
        plain_(fresh(growth.folder + "/plain.db")),
        writer_(author_.client(), kShape),
        plain_writer_(with_table(plain_), kShape) {}

  /// Inserts rows until there are so many.
  void fill(std::int64_t rows) {
    while (rows_ < rows) {
      const auto more = std::min<std::int64_t>(50'000, rows - rows_);
      writer_.run(Writer::Op::insert, rows_ + 1, more, 1000, 0);
      plain_writer_.run(Writer::Op::insert, rows_ + 1, more, 1000, 0);
      rows_ += more;
      pass_on();
    }
  }
  /// Updates every row.
  void update_all() {
    writer_.run(Writer::Op::update, 1, rows_, 1000, ++salt_);
    pass_on();
  }
  /// Of one change among 100 in a transaction, spread over the table.
  struct Cost {
    double plain_us = 0, write_us = 0, seal_us = 0, apply_us = 0;
  };
  Cost measure() {
    std::vector<double> plain, write, seal, apply;
    for (int round = 0; round <= kRounds; ++round) {
      ++salt_;
      const auto p = timed([&] { update_some(plain_, plain_writer_); });
      const auto w = timed([&] { update_some(author_.client(), writer_); });
      const auto before = author_.sealed();
      const auto s = timed([&] { author_.seal(); });
      const auto sets = author_.sets(before + 1);
      const auto a = timed([&] {
        reader_.stage(sets);
        reader_.apply();
      });
      if (round == 0) continue;
      const auto each = [](const Times& t) { return t.cpu_s * 1e6 / kChanges; };
      plain.push_back(each(p));
      write.push_back(each(w));
      seal.push_back(each(s));
      apply.push_back(each(a));
    }
    return {spread_of(plain).median, spread_of(write).median, spread_of(seal).median,
            spread_of(apply).median};
  }
  /// Of the reader's file, against the plain one.
  double size_ratio() {
    reader_.client().checkpoint();
    plain_.checkpoint();
    return static_cast<double>(file_bytes(reader_.client().path())) /
           static_cast<double>(file_bytes(plain_.path()));
  }

 private:
  static std::string fresh(const std::string& path) {
    remove_database(path);
    return path;
  }
  static Database& with_table(Database& db) {
    db.exec(create_sql(kShape));
    return db;
  }
  void pass_on() {
    const auto before = author_.sealed();
    author_.seal();
    reader_.stage(author_.sets(before + 1));
    reader_.apply();
  }
  void update_some(Database& db, Writer& writer) const {
    db.exec("BEGIN");
    for (std::int64_t i = 0; i < kChanges; ++i) {
      writer.update(1 + (i * 7919 + salt_ * 104729) % rows_, salt_);
    }
    db.exec("COMMIT");
  }

  Node author_, reader_;
  Database plain_;
  Writer writer_, plain_writer_;
  std::int64_t rows_ = 0, salt_ = 0;
};

void note(Growth& growth, const char* picture, std::int64_t x, const Trio::Cost& cost) {
  growth.add(picture, "plain SQLite: write", "us a change", x, cost.plain_us);
  growth.add(picture, "write", "us a change", x, cost.write_us);
  growth.add(picture, "seal", "us a change", x, cost.seal_us);
  growth.add(picture, "apply", "us a change", x, cost.apply_us);
}

}  // namespace

void grow_rows(Growth& growth) {
  Trio trio(growth);
  for (std::int64_t rows = kFew; rows <= growth.rows_max; rows *= 10) {
    trio.fill(rows);
    note(growth, "rows", rows, trio.measure());
    growth.add("file", "by rows", "x", rows, trio.size_ratio());
  }
}

void grow_history(Growth& growth) {
  Trio trio(growth);
  trio.fill(kFew);
  std::int64_t done = 0;
  for (std::int64_t changes = kFew; changes <= growth.changes_max; changes *= 10) {
    for (; done < changes; done += kFew) trio.update_all();
    note(growth, "history", changes, trio.measure());
    growth.add("file", "by updates of 10,000 rows", "x", changes, trio.size_ratio());
  }
}

}  // namespace mycelial::bench
