// SPDX-License-Identifier: Apache-2.0
// Wire version 1 as it was when it was fixed: the bytes in v1/ must be read for ever, and written
// for as long as this is the version written.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/golden/text.hpp"
#include "tests/golden/vectors.hpp"

namespace mycelial::golden {

void PrintTo(const Vector& vector, std::ostream* out) {
  *out << vector.name;
}

namespace {

struct Stored {
  std::string text;
  Bytes bytes;
};

int nibble(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

Stored load(const std::string& name) {
  std::ifstream in(std::string(GOLDEN_FOLDER) + "/" + name + ".txt");
  Stored out;
  bool hex = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    if (line == "hex") {
      hex = true;
    } else if (!hex) {
      out.text += line + "\n";
    } else {
      for (std::size_t i = 0; i + 1 < line.size(); i += 2) {
        out.bytes.push_back(static_cast<char>(nibble(line[i]) << 4 | nibble(line[i + 1])));
      }
    }
  }
  return out;
}

class Golden : public ::testing::TestWithParam<Vector> {};

TEST_P(Golden, IsReadAsItsTextSays) {
  const Vector& vector = GetParam();
  const Stored stored = load(vector.name);
  ASSERT_FALSE(stored.bytes.empty());
  const std::string text = decoded_text(stored.bytes, vector.is_unit, known_schema());
  if (vector.form == Form::refused) {
    EXPECT_EQ(text.rfind(vector.text, 0), 0U) << text;
    EXPECT_EQ(stored.text, vector.text + "\n");
  } else {
    EXPECT_EQ(text, stored.text);
    EXPECT_EQ(vector.text, stored.text);  // The structures did not drift from the files either.
  }
}

TEST_P(Golden, IsWrittenSo) {
  EXPECT_EQ(to_hex(GetParam().bytes), to_hex(load(GetParam().name).bytes));
}

INSTANTIATE_TEST_SUITE_P(V1, Golden, ::testing::ValuesIn(vectors()),
                         [](const auto& vector) { return vector.param.name; });

TEST(GoldenFiles, EachHasItsTest) {
  std::set<std::string> tested;
  for (const auto& vector : vectors()) tested.insert(vector.name + ".txt");
  std::set<std::string> stored;
  for (const auto& file : std::filesystem::directory_iterator(GOLDEN_FOLDER)) {
    stored.insert(file.path().filename().string());
  }
  EXPECT_EQ(stored, tested);
}

}  // namespace
}  // namespace mycelial::golden
