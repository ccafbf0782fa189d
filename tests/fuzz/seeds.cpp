// SPDX-License-Identifier: Apache-2.0
// fuzz_seeds FOLDER: writes the seeds of the corpora: golden vectors, random structures, and what a
// real store seals. Crashers found later are added by hand, as regression tests.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "codec/codec.hpp"
#include "tests/codec/generator.hpp"
#include "tests/fuzz/victim.hpp"
#include "tests/golden/vectors.hpp"

namespace mycelial {
namespace {

std::filesystem::path folder;  // NOLINT

void put(const std::string& corpus, const std::string& name, char first, const Bytes& bytes) {
  std::filesystem::create_directories(folder / corpus);
  std::ofstream(folder / corpus / name, std::ios::binary) << first << bytes;
}

void decode_seeds() {
  for (const auto& vector : golden::vectors()) {
    put("decode", vector.name, vector.is_unit ? 1 : 0, vector.bytes);
  }
}

/// Bodies as a store makes them, and every row of random sets.
void apply_seeds() {
  fuzz::World world;
  fuzz::Victim author(world);
  int number = 0;
  const auto add = [&] {
    const auto sealed = author.store().seal();
    for (const auto& unit : *sealed) {
      const auto bytes = author.store().read(unit, 0, unit.size);
      const auto view = codec::decode_unit(*bytes);
      const std::string name = "set" + std::to_string(++number);
      put("apply", name, 0, Bytes(view->body));
      put("apply", name + "_unit", 4, *bytes);
      put("apply", name + "_fold", 3, Bytes(view->body));
    }
  };
  author.sql(fuzz::kRows);
  add();
  author.sql("UPDATE item SET amount = 7; INSERT INTO log VALUES(9, 'more')");
  add();
  author.sql("DELETE FROM item; DELETE FROM pair; INSERT INTO strict_one VALUES(1, 2, NULL)");
  add();
  author.sql("ALTER TABLE log ADD COLUMN extra; CREATE TABLE other(x PRIMARY KEY);");
  author.sql("INSERT INTO log VALUES(10, 'wide', 1.25)");
  add();
  const auto cut = author.store().cut({}, {});
  const auto bytes = author.store().read(*cut, 0, cut->size);
  const Bytes body(codec::decode_unit(*bytes)->body);
  put("apply", "cut", 2, body);
  put("apply", "cut_full", 1, body);
}

void session_seeds() {
  testing::Generator g(1);
  for (int i = 0; i < 40; ++i) {
    // Links up, then anything.
    Bytes game("\0\0\1\0\0\1\0\2\1\1", 10);
    game += g.bytes(400);
    put("session", "game" + std::to_string(i), 0, game);
  }
}

}  // namespace

void write_seeds(const char* to) {
  folder = to;
  decode_seeds();
  apply_seeds();
  session_seeds();
}

}  // namespace mycelial

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  mycelial::write_seeds(argv[1]);
  return 0;
}
