// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/site.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/bytes.hpp"
#include "storage/sqlite.hpp"

namespace mycelial::test {
namespace {

std::string exact(sqlite3_value* v) {
  const int type = sqlite3_value_type(v);
  const auto bytes = [&] {
    const auto* p = static_cast<const char*>(sqlite3_value_blob(v));
    return ByteView(p, static_cast<std::size_t>(sqlite3_value_bytes(v)));
  };
  if (type == SQLITE_INTEGER) return "i" + std::to_string(sqlite3_value_int64(v));
  if (type == SQLITE_FLOAT) {
    const double r = sqlite3_value_double(v) + 0.0;  // SQLite holds -0.0 and 0.0 equal
    return "r" + to_hex({reinterpret_cast<const char*>(&r), sizeof r});
  }
  if (type == SQLITE_TEXT) {
    // UTF-8, whatever the encoding of the file.
    const auto* p = reinterpret_cast<const char*>(sqlite3_value_text(v));
    return "t" + to_hex({p, static_cast<std::size_t>(sqlite3_value_bytes(v))});
  }
  if (type == SQLITE_BLOB) return "b" + to_hex(bytes());
  return "null";
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
}

}  // namespace

std::string run_script(sqlite3* db, const std::string& script) {
  std::string out;
  const char* at = script.c_str();
  while (*at) {
    sqlite3_stmt* s = nullptr;
    int rc = sqlite3_prepare_v2(db, at, -1, &s, &at);
    if (rc == SQLITE_OK && !s) break;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
      rc = sqlite3_step(s);
      for (int i = 0; rc == SQLITE_ROW && i < sqlite3_column_count(s); ++i) {
        const auto* text = sqlite3_column_text(s, i);
        out += fmt::format(" {}:{}", sqlite3_column_type(s, i),
                           text ? reinterpret_cast<const char*>(text) : "");
      }
    }
    sqlite3_finalize(s);
    out += fmt::format(" rc {} changes {}", rc, sqlite3_changes(db));
    if (rc == SQLITE_ERROR) out += sqlite3_errmsg(db);
  }
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
  return out;
}

std::string dump_table(sqlite3* db, const std::string& table) {
  sqlite3_stmt* s = nullptr;
  const std::string query = "SELECT * FROM " + storage::quote_name(table);
  EXPECT_EQ(sqlite3_prepare_v2(db, query.c_str(), -1, &s, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  std::vector<std::string> rows;
  while (s && sqlite3_step(s) == SQLITE_ROW) {
    std::string row;
    for (int i = 0; i < sqlite3_column_count(s); ++i) {
      row += (i ? " " : "") + std::string(sqlite3_column_name(s, i)) + "=";
      row += exact(sqlite3_column_value(s, i));
    }
    rows.push_back(std::move(row));
  }
  sqlite3_finalize(s);
  std::sort(rows.begin(), rows.end());
  std::string out;
  for (const auto& row : rows) out += row + "\n";
  return out;
}

void SeededEntropy::fill(void* out, std::size_t bytes) noexcept {
  auto* at = static_cast<unsigned char*>(out);
  for (std::size_t i = 0; i < bytes; ++i) at[i] = static_cast<unsigned char>(random());
}

void Site::place(const std::string& name) {
  std::string pattern = (std::filesystem::temp_directory_path() / "mycelial-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  path_ = folder_ + "/" + name + ".db";
}

void Site::connect() {
  EXPECT_EQ(sqlite3_open(path_.c_str(), &client_), SQLITE_OK);
  sqlite3_busy_timeout(client_, 5000);
  sqlite3_extended_result_codes(client_, 1);
  EXPECT_EQ(sql("PRAGMA synchronous = OFF"), SQLITE_OK);
}

Site::Site(World& world, const std::string& name, const std::string& schema) : world_(world) {
  place(name);
  connect();
  EXPECT_EQ(sql(schema), SQLITE_OK) << sqlite3_errmsg(client_);
  open();
}

Site::Site(World& world, const std::string& name, const Image& image) : world_(world) {
  place(name);
  write_file(path_, image.bytes);
  connect();
  open();
}

Site::~Site() {
  store_.reset();
  sqlite3_close(client_);
  std::filesystem::remove_all(folder_);
}

void Site::open(storage::StoreOptions options, bool durable) {
  options.clock = &world_.clock;
  options.entropy = &world_.entropy;
  options.synchronous_full = durable;
  auto opened = storage::Store::open(path_, options);
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  store_ = std::move(*opened);
}

Image Site::image() {
  const std::string copy = folder_ + "/image";
  sqlite3* to = nullptr;
  EXPECT_EQ(sqlite3_open(copy.c_str(), &to), SQLITE_OK);
  sqlite3_backup* backup = sqlite3_backup_init(to, "main", client_, "main");
  EXPECT_EQ(sqlite3_backup_step(backup, -1), SQLITE_DONE);
  sqlite3_backup_finish(backup);
  sqlite3_close(to);
  std::ifstream in(copy, std::ios::binary);
  Image out{{std::istreambuf_iterator<char>(in), {}}};
  std::filesystem::remove(copy);
  return out;
}

void Site::restore(const Image& image, Restore how) {
  const std::string copy = folder_ + "/image";
  write_file(copy, image.bytes);
  if (how == Restore::by_backup) {
    sqlite3* from = nullptr;
    EXPECT_EQ(sqlite3_open(copy.c_str(), &from), SQLITE_OK);
    sqlite3_backup* backup = sqlite3_backup_init(client_, "main", from, "main");
    EXPECT_EQ(sqlite3_backup_step(backup, -1), SQLITE_DONE) << sqlite3_errmsg(client_);
    sqlite3_backup_finish(backup);
    sqlite3_close(from);
    return;
  }
  store_.reset();
  sqlite3_close(client_);
  if (how == Restore::by_rename) {
    std::filesystem::rename(copy, path_);
  } else {
    write_file(path_, image.bytes);
  }
  connect();
  open();
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
  for (bool more = true; more;) {
    const auto applied = to.store().apply_staged();
    if (!applied.ok()) return applied.status();
    for (const auto& [unit, why] : applied->rejected) return why;
    more = applied->more;
  }
  return {};
}

void must(Site& site, const std::string& sql) {
  site.world_.clock.now += 10;
  EXPECT_EQ(site.sql(sql), SQLITE_OK) << sql << ": " << sqlite3_errmsg(site.client());
}

void exchange(Site& a, Site& b) {
  for (int i = 0; i < 2; ++i) {
    for (const auto& s : {carry(a, b), carry(b, a)}) ASSERT_TRUE(s.ok()) << s.to_string();
  }
}

}  // namespace mycelial::test
