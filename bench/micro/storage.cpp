// SPDX-License-Identifier: Apache-2.0
// A file: sealing, applying, digest, cut. Times are CPU times of the whole step.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>

#include "macro/node.hpp"

namespace mycelial::bench {
namespace {

constexpr std::int64_t kRows = 10'000;
constexpr Shape kShape{Kind::integer_key, true};

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/mycelial-micro-XXXXXX";
    if (!mkdtemp(name)) std::abort();
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void seal_inserts(benchmark::State& state) {
  const Folder folder;
  Node node(folder.file("a.db"), kShape);
  Writer writer(node.client(), kShape);
  std::int64_t next = 1;
  for (auto _ : state) {
    state.PauseTiming();
    writer.run(Writer::Op::insert, next, kRows, kRows, 0);
    next += kRows;
    state.ResumeTiming();
    node.seal();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(seal_inserts)->Unit(benchmark::kMillisecond);

void seal_updates(benchmark::State& state) {
  const Folder folder;
  Node node(folder.file("a.db"), kShape);
  Writer writer(node.client(), kShape);
  writer.run(Writer::Op::insert, 1, kRows, kRows, 0);
  node.seal();
  for (std::int64_t salt = 1; auto _ : state) {
    state.PauseTiming();
    writer.run(Writer::Op::update, 1, kRows, kRows, salt++);
    state.ResumeTiming();
    node.seal();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(seal_updates)->Unit(benchmark::kMillisecond);

/// The author's sets: inserts, then updates of all rows.
struct Author {
  explicit Author(const Folder& folder) {
    Node node(folder.file("author.db"), kShape);
    Writer writer(node.client(), kShape);
    writer.run(Writer::Op::insert, 1, kRows, kRows, 0);
    node.seal();
    inserts = node.sets();
    writer.run(Writer::Op::update, 1, kRows, kRows, 1);
    node.seal();
    updates = node.sets(2);
  }
  std::vector<Parcel> inserts, updates;
};

enum class What { inserts, updates, known };

void apply(benchmark::State& state, What what) {
  const Folder folder;
  const Author author(folder);
  for (auto _ : state) {
    state.PauseTiming();
    auto node = std::make_unique<Node>(folder.file("reader.db"), kShape);
    if (what != What::inserts) {
      node->stage(author.inserts);
      node->apply();
    }
    node->stage(what == What::updates ? author.updates : author.inserts);
    state.ResumeTiming();
    node->apply();
    state.PauseTiming();
    node.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK_CAPTURE(apply, inserts, What::inserts)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(apply, updates, What::updates)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(apply, what_is_known, What::known)->Unit(benchmark::kMillisecond);

/// What a peer without anything gets.
void cut(benchmark::State& state) {
  const Folder folder;
  Node node(folder.file("a.db"), kShape);
  Writer writer(node.client(), kShape);
  writer.run(Writer::Op::insert, 1, kRows, kRows, 0);
  node.seal();
  for (auto _ : state) benchmark::DoNotOptimize(node.cut().bytes.size());
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(cut)->Unit(benchmark::kMillisecond);

void digest(benchmark::State& state) {
  const Folder folder;
  Node node(folder.file("a.db"), kShape);
  Writer writer(node.client(), kShape);
  writer.run(Writer::Op::insert, 1, kRows, kRows, 0);
  node.seal();
  for (auto _ : state) {
    if (!node.store().digest().ok()) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(digest)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mycelial::bench

BENCHMARK_MAIN();
