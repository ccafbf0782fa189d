// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/site.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace mycelial::test {

void SeededEntropy::fill(void* out, std::size_t bytes) noexcept {
  auto* at = static_cast<unsigned char*>(out);
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<unsigned char>(random());
}

Site::Site(World& world, const std::string& name, const std::string& schema) : world_(world) {
  std::string pattern = (std::filesystem::temp_directory_path() / "mycelial-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  path_ = folder_ + "/" + name + ".db";
  EXPECT_EQ(sqlite3_open(path_.c_str(), &client_), SQLITE_OK);
  sqlite3_busy_timeout(client_, 5000);
  EXPECT_EQ(sql(schema), SQLITE_OK) << sqlite3_errmsg(client_);
  open();
}

Site::~Site() {
  store_.reset();
  sqlite3_close(client_);
  std::filesystem::remove_all(folder_);
}

void Site::open(storage::StoreOptions options) {
  options.clock = &world_.clock;
  options.entropy = &world_.entropy;
  options.synchronous_full = false;
  auto opened = storage::Store::open(path_, options);
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  store_ = std::move(*opened);
}

int Site::sql(const std::string& text) {
  return sqlite3_exec(client_, text.c_str(), nullptr, nullptr, nullptr);
}

std::string Site::rows(const std::string& query) {
  std::string out;
  sqlite3_stmt* s = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(client_, query.c_str(), -1, &s, nullptr), SQLITE_OK)
      << sqlite3_errmsg(client_);
  while (sqlite3_step(s) == SQLITE_ROW) {
    if (!out.empty()) out += "\n";
    for (int i = 0; i < sqlite3_column_count(s); ++i) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, i));
      out += (i ? "|" : "") + std::string(text ? text : "NULL");
    }
  }
  sqlite3_finalize(s);
  return out;
}

namespace {

Status stage(Site& from, Site& to, const core::UnitRef& unit) {
  const auto bytes = from.store().read(unit, 0, unit.size);
  if (!bytes.ok()) return bytes.status();
  return to.store().stage(unit, 0, *bytes);
}

}  // namespace

Status carry(Site& from, Site& to, Carry how) {
  const auto sealed = from.store().seal();
  if (!sealed.ok()) return sealed.status();
  if (how == Carry::cut) {
    std::vector<std::pair<core::Stream, core::Tip>> tips(to.store().have().begin(),
                                                         to.store().have().end());
    const auto cut = from.store().cut(tips, {});
    if (!cut.ok()) return cut.status();
    if (auto s = stage(from, to, *cut); !s.ok()) return s;
  } else {
    for (const auto& [stream, tip] : from.store().have()) {
      const auto it = to.store().have().find(stream);
      const auto next = it == to.store().have().end() ? 1 : it->second.seq + 1;
      if (next > tip.seq) continue;
      const auto units = from.store().tail(stream, next, tip.seq);
      if (!units) return carry(from, to, Carry::cut);
      for (const auto& unit : *units) {
        if (auto s = stage(from, to, unit); !s.ok()) return s;
      }
    }
  }
  const auto applied = to.store().apply_staged();
  if (!applied.ok()) return applied.status();
  for (const auto& [unit, why] : applied->rejected) return why;
  return {};
}

}  // namespace mycelial::test
