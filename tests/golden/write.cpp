// SPDX-License-Identifier: Apache-2.0
// golden_write FOLDER: writes the vectors that FOLDER lacks. What is there stays: to change a
// vector is to change the wire format, so its file must be deleted by hand.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/golden/vectors.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: golden_write FOLDER\n");
    return 2;
  }
  for (const auto& vector : mycelial::golden::vectors()) {
    const auto path = std::filesystem::path(argv[1]) / (vector.name + ".txt");
    if (std::filesystem::exists(path)) continue;
    std::ofstream out(path);
    out << vector.text << (vector.text.ends_with('\n') ? "" : "\n") << "hex\n";
    const std::string hex = mycelial::to_hex(vector.bytes);
    for (std::size_t i = 0; i < hex.size(); i += 96) out << hex.substr(i, 96) << "\n";
    if (!out.flush()) {
      std::fprintf(stderr, "cannot write %s\n", path.c_str());
      return 1;
    }
    std::printf("%s\n", path.c_str());
  }
  return 0;
}
