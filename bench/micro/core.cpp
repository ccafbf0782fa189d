// SPDX-License-Identifier: Apache-2.0
// Merging: clocks, stamps, rows.
#include <benchmark/benchmark.h>

#include "core/hybrid_clock.hpp"
#include "micro/rows.hpp"

namespace mycelial::bench {
namespace {

constexpr std::uint64_t kMs = 1'700'000'000'000;

void stamp_a_write(benchmark::State& state) {
  core::HybridClock clock(0);
  std::uint64_t ms = kMs;
  for (auto _ : state) {
    benchmark::DoNotOptimize(clock.stamp_write(ms, ms));
    ms += ms % 3 == 0;
  }
}
BENCHMARK(stamp_a_write);

void compare_stamps(benchmark::State& state) {
  const auto sites = streams(64);
  const core::Ranks ranks(sites);
  core::Stamp a{kMs, 3, 7}, b{kMs, 5, 9};
  for (auto _ : state) {
    benchmark::DoNotOptimize(core::stamp_less(a, b, ranks));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(compare_stamps);

/// One row of eight columns joined with `piece`.
void join(benchmark::State& state, const core::Row& before, const core::Row& piece) {
  const core::Ranks ranks(streams(2));
  const std::uint64_t covered[] = {0, 100, 100};
  core::RowJoiner joiner;
  core::Row out;
  std::vector<core::Discarded> discarded;
  for (auto _ : state) {
    discarded.clear();
    joiner.join(before, piece, covered, {}, ranks, out, &discarded);
    benchmark::DoNotOptimize(out.cells.data());
  }
  state.SetItemsProcessed(state.iterations());
}

void join_update_of_2_columns(benchmark::State& state) {
  join(state, whole_row(5, kMs, 0), update_of({1, 5}, 2, 101, kMs + 5, 2));
}
BENCHMARK(join_update_of_2_columns);

void join_update_of_7_columns(benchmark::State& state) {
  join(state, whole_row(5, kMs, 0), update_of({1, 5}, 2, 101, kMs + 5, 7));
}
BENCHMARK(join_update_of_7_columns);

void join_what_is_known(benchmark::State& state) {
  join(state, whole_row(5, kMs, 0), whole_row(5, kMs, 0));
}
BENCHMARK(join_what_is_known);

void join_concurrent_updates(benchmark::State& state) {
  const core::Ranks ranks(streams(2));
  const auto first = merge_rows(whole_row(5, kMs, 0), update_of({1, 5}, 1, 101, kMs + 9, 4),
                                std::vector<std::uint64_t>{0, 100, 100}, {}, ranks);
  join(state, first, update_of({1, 5}, 2, 101, kMs + 5, 7));
}
BENCHMARK(join_concurrent_updates);

void make_piece_of_an_update(benchmark::State& state) {
  const core::Ranks ranks(streams(2));
  const auto before = whole_row(5, kMs, 0);
  core::LocalWrite w;
  w.dot = {1, 6};
  w.shown = true;
  w.time = core::hlc_from_ms(kMs + 1);
  w.written = {{1, w.time, core::Value::of(1)}, {2, w.time, core::Value::of(2)}};
  core::Row piece;
  for (auto _ : state) {
    core::local_piece(before, w, ranks, piece);
    benchmark::DoNotOptimize(piece.cells.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(make_piece_of_an_update);

}  // namespace
}  // namespace mycelial::bench
