// SPDX-License-Identifier: Apache-2.0
// Change sets and messages to bytes and back.
#include "codec/codec.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "micro/rows.hpp"

namespace mycelial::bench {
namespace {

constexpr std::size_t kRows = 1000;

Bytes encode(const std::vector<core::RowPiece>& rows) {
  const auto schema = wide_schema();
  const auto hash = schema.hash();
  const auto names = streams(2);
  codec::BodyWriter writer;
  writer.add_schema(schema);
  for (const auto& row : rows) {
    writer.add_row(schema, hash, row,
                   [&](core::Origin o) -> const core::Stream& { return names[o]; });
  }
  return writer.finish();
}

void encode_rows(benchmark::State& state) {
  const auto rows = pieces(kRows);
  std::size_t bytes = 0;
  for (auto _ : state) bytes = encode(rows).size();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
  state.counters["bytes_per_row"] = static_cast<double>(bytes) / kRows;
}
BENCHMARK(encode_rows);

void decode_rows(benchmark::State& state) {
  const auto schema = wide_schema();
  const auto body = encode(pieces(kRows));
  core::RowPiece piece;
  for (auto _ : state) {
    codec::BodyReader reader(body, [&](const Hash&) { return &schema; });
    for (;;) {
      auto item = reader.next();
      if (!item.ok()) std::abort();
      if (!*item) break;
      while ((*item)->block && (*item)->block->next(piece)) {
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRows));
}
BENCHMARK(decode_rows);

core::Message have_of(std::size_t count) {
  core::HaveMessage have;
  const auto names = streams(count);
  for (std::size_t i = 1; i <= count; ++i) have.tips.push_back({names[i], {i * 1000, {}}});
  core::Message out;
  out.body = have;
  return out;
}

/// The version vector of so many sites, as it travels.
void encode_version_vector(benchmark::State& state) {
  const auto message = have_of(static_cast<std::size_t>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) bytes = codec::encode_message(message).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(encode_version_vector)->Arg(2)->Arg(16)->Arg(128);

void decode_version_vector(benchmark::State& state) {
  const auto bytes = codec::encode_message(have_of(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(codec::decode_message(bytes).ok());
}
BENCHMARK(decode_version_vector)->Arg(2)->Arg(16)->Arg(128);

}  // namespace
}  // namespace mycelial::bench
