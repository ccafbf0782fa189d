// SPDX-License-Identifier: Apache-2.0
// mycelial_instructions: each hot path once, with the same input every time, for callgrind to count
// (bench/instructions.py). What a path needs before it begins is not counted.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "codec/codec.hpp"
#include "core/row.hpp"
#include "macro/node.hpp"
#include "micro/rows.hpp"

namespace mycelial::bench {
namespace {

constexpr std::int64_t kRows = 2'000;
constexpr std::uint64_t kMs = 1'700'000'000'000;
constexpr Shape kShape{Kind::integer_key, true};

void count(const char* name, const std::function<void()>& work) {
  CALLGRIND_START_INSTRUMENTATION;
  CALLGRIND_ZERO_STATS;
  work();
  CALLGRIND_DUMP_STATS_AT(name);
  CALLGRIND_STOP_INSTRUMENTATION;
}

void count_join() {
  const core::Row before = whole_row(5, kMs, 0);
  const core::Row pieces[] = {update_of({1, 5}, 2, 101, kMs + 5, 2), whole_row(5, kMs, 0)};
  const core::Ranks ranks(streams(2));
  const std::uint64_t covered[] = {0, 100, 100};
  core::RowJoiner joiner;
  core::Row out;
  std::vector<core::Discarded> discarded;
  count("join", [&] {
    for (std::int64_t i = 0; i < kRows; ++i) {
      discarded.clear();
      joiner.join(before, pieces[i % 2], covered, {}, ranks, out, &discarded);
    }
  });
}

void count_codec() {
  const auto rows = pieces(static_cast<std::size_t>(kRows));
  const auto schema = wide_schema();
  const auto hash = schema.hash();
  const auto names = streams(2);
  Bytes body;
  count("encode", [&] {
    codec::BodyWriter writer;
    writer.add_schema(schema);
    for (const auto& row : rows) {
      writer.add_row(schema, hash, row,
                     [&](core::Origin o) -> const core::Stream& { return names[o]; });
    }
    body = writer.finish();
  });
  count("decode", [&] {
    core::RowPiece piece;
    codec::BodyReader reader(body, [&](const Hash&) { return &schema; });
    for (auto item = reader.next(); item.ok() && *item; item = reader.next()) {
      while ((*item)->block && (*item)->block->next(piece)) {
      }
    }
  });
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / "mycelial-instructions-XXXXXX") {
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void count_store() {
  const Folder folder;
  Node author(folder.file("author.db"), kShape);
  Node reader(folder.file("reader.db"), kShape), late(folder.file("late.db"), kShape);
  Writer writer(author.client(), kShape);
  // Parses the statements, and lets SQLite and the allocator warm up.
  writer.run(Writer::Op::insert, kRows + 1, 10, 10, 0);
  writer.run(Writer::Op::update, kRows + 1, 10, 10, 1);
  author.seal();
  reader.stage(author.sets());
  reader.apply();

  count("write inserts", [&] { writer.run(Writer::Op::insert, 1, kRows, kRows, 0); });
  count("seal inserts", [&] { author.seal(); });
  const auto inserts = author.sets(2);
  count("apply inserts", [&] {
    reader.stage(inserts);
    reader.apply();
  });
  count("apply known", [&] {
    reader.stage(inserts);
    reader.apply();
  });
  count("write updates", [&] { writer.run(Writer::Op::update, 1, kRows, kRows, 1); });
  count("seal updates", [&] { author.seal(); });
  const auto updates = author.sets(3);
  count("apply updates", [&] {
    reader.stage(updates);
    reader.apply();
  });
  Writer rival(reader.client(), kShape);  // has written the same cells, unseen
  rival.run(Writer::Op::update, 1, kRows, kRows, 2);
  reader.seal();
  writer.run(Writer::Op::update, 1, kRows, kRows, 3);
  author.seal();
  const auto concurrent = author.sets(4);
  count("apply concurrent", [&] {
    reader.stage(concurrent);
    reader.apply();
  });
  std::unique_ptr<Parcel> cut;
  count("make cut", [&] { cut = std::make_unique<Parcel>(author.cut()); });
  count("apply cut", [&] {
    late.stage({*cut});
    late.apply();
  });
  count("digest", [&] {
    if (!author.store().digest().ok()) std::abort();
  });
}

/// 100 changes all over a table: each meets a piece of the bookkeeping of its own.
void count_few() {
  constexpr std::int64_t kMany = 20'000, kFew = 100;
  const Folder folder;
  Node author(folder.file("author.db"), kShape), reader(folder.file("reader.db"), kShape);
  Writer writer(author.client(), kShape);
  writer.run(Writer::Op::insert, 1, kMany, kMany, 0);
  author.seal();
  reader.stage(author.sets());
  reader.apply();
  for (int round = 0; round < 2; ++round) {  // the first one opens pages
    author.client().exec("BEGIN");
    for (std::int64_t i = 0; i < kFew; ++i) writer.update(1 + i * kMany / kFew + round, round);
    author.client().exec("COMMIT");
    const auto before = author.sealed();
    const auto seal = [&] { author.seal(); };
    round == 0 ? seal() : count("seal few", seal);
    const auto sets = author.sets(before + 1);
    const auto apply = [&] {
      reader.stage(sets);
      reader.apply();
    };
    round == 0 ? apply() : count("apply few", apply);
  }
}

}  // namespace
}  // namespace mycelial::bench

int main() {
  mycelial::bench::count_join();
  mycelial::bench::count_codec();
  mycelial::bench::count_store();
  mycelial::bench::count_few();
  return 0;
}
