// SPDX-License-Identifier: Apache-2.0
// What an application pays: the same statements on a tracked file and on a plain one.
#include <fmt/format.h>

#include "macro/lab.hpp"
#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

constexpr std::int64_t kRowsBefore = 20'000;

struct Side {
  Database& db;
  Writer& writer;
};

/// One kind of table: rounds of insert, update, delete of the same rows, on both files in turn.
class Bout {
 public:
  Bout(Lab& lab, Shape shape, std::int64_t batch, bool as_text = false)
      : lab_(lab),
        shape_(shape),
        batch_(batch),
        count_(batch == 1 ? 3'000 : 12'000),
        as_text_(as_text) {}

  void run() {
    Node node(lab_.path("writes-tracked.db"), shape_, false);
    remove_database(lab_.path("writes-plain.db"));
    Database plain(lab_.path("writes-plain.db"));
    plain.exec(create_sql(shape_));
    Writer ours_writer(node.client(), shape_, as_text_), plain_writer(plain, shape_, as_text_);
    Side ours{node.client(), ours_writer}, other{plain, plain_writer};
    for (auto* side : {&ours, &other}) {
      side->writer.run(Writer::Op::insert, 1, kRowsBefore, 1000, 0);
      side->db.exec("ANALYZE");
    }
    // All three in one pass over the rounds would mix them; each starts from the same rows.
    op(ours, other, Writer::Op::insert, "insert", 1.2);
    op(ours, other, Writer::Op::update, shape_.wide ? "update 2 of 8" : "update", 1.3);
    op(ours, other, Writer::Op::erase, "delete", 1.3);
    if (batch_ > 1 && !as_text_) op(ours, other, Writer::Op::read, "select", 1.05);
  }

 private:
  /// Rows kRowsBefore + 1 ... are there before update and delete, absent before insert.
  Times once(Side& side, Writer::Op what) {
    if (what != Writer::Op::insert) {
      side.writer.run(Writer::Op::insert, kRowsBefore + 1, count_, 1000, 0);
    }
    settle(side);
    const auto times =
        timed([&] { side.writer.run(what, kRowsBefore + 1, count_, batch_, ++salt_); });
    if (what != Writer::Op::erase) {
      side.writer.run(Writer::Op::erase, kRowsBefore + 1, count_, 1000, 0);
    }
    return times;
  }
  /// As after a seal, and with nothing left to checkpoint from the preparation.
  void settle(Side& side) {
    if (&side.db != plain_) {
      side.db.exec(
          "DELETE FROM mycelial_journal WHERE jn < (SELECT max(jn) FROM mycelial_journal)");
    }
    side.db.checkpoint();
  }
  void op(Side& ours, Side& plain, Writer::Op what, const char* name, double target) {
    plain_ = &plain.db;
    lab_.compare(
        "writes",
        fmt::format("{}, {}, {}{}, {} a transaction{}", name, name_of(shape_.kind),
                    shape_.wide   ? "8 columns"
                    : shape_.blob ? "1 KiB blobs"
                                  : "narrow",
                    shape_.indexed ? ", 2 indexes" : "", batch_, as_text_ ? ", SQL text" : ""),
        target, static_cast<double>(count_), [&] { return once(ours, what); },
        [&] { return once(plain, what); });
  }

  Lab& lab_;
  Shape shape_;
  std::int64_t batch_, count_, salt_ = 0;
  bool as_text_;
  Database* plain_ = nullptr;
};

}  // namespace

void measure_writes(Lab& lab) {
  const std::int64_t batches[] = {1, 10, 1000};
  for (const std::int64_t batch : batches) {  // the table of an ordinary application
    Bout(lab, {Kind::automatic_key, true, true}, batch).run();
    Bout(lab, {Kind::automatic_key, true, true}, batch, true).run();
  }
  for (const Kind kind : {Kind::integer_key, Kind::automatic_key, Kind::text_key, Kind::keyless}) {
    for (const std::int64_t batch : batches) Bout(lab, {kind, true}, batch).run();
  }
  for (const Kind kind : {Kind::composite_key, Kind::without_rowid}) {
    for (const std::int64_t batch : {1, 1000}) Bout(lab, {kind, true}, batch).run();
  }
  for (const Kind kind : {Kind::integer_key, Kind::keyless}) {  // where a trigger weighs most
    for (const std::int64_t batch : {1, 1000}) Bout(lab, {kind, false}, batch).run();
  }
  for (const std::int64_t batch : {1, 1000}) {
    Bout(lab, {Kind::integer_key, false, false, false, true}, batch).run();
  }
}

}  // namespace mycelial::bench
