// SPDX-License-Identifier: Apache-2.0
// Words: schemas that nobody expected, and what people and peers say about them: names, literals,
// ALTER TABLE, endpoints, command lines. The first byte chooses. Refused in words, or done with the
// bookkeeping sound.
#include <sqlite3.h>

#include <filesystem>

#include "net/endpoint.hpp"
#include "storage/sql_tokens.hpp"
#include "storage/store.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/fuzz/victim.hpp"
#include "tools/mycelial/command.hpp"

namespace mycelial::fuzz {
namespace {

void expect_words(const Status& status) {
  expect(status.ok() || !status.message().empty(), "an error in words", status.to_string());
  expect(status.code() != Errc::internal, "no error of our own", status.to_string());
}

/// SQL of an application that stays in its file and comes to an end.
class Application {
 public:
  explicit Application(const std::string& path) {
    sqlite3_open(path.c_str(), &db_);
    sqlite3_set_authorizer(
        db_,
        [](void*, int what, const char*, const char*, const char*, const char*) {
          return what == SQLITE_ATTACH || what == SQLITE_PRAGMA ? SQLITE_DENY : SQLITE_OK;
        },
        nullptr);
    sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, 100'000);
    sqlite3_progress_handler(
        db_, 100'000, [](void*) { return 1; }, nullptr);
  }
  ~Application() { sqlite3_close(db_); }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;
  /// Each statement that it understands.
  void run(std::string_view text) {
    const std::string sql(text.substr(0, text.find('\0')));
    for (std::size_t at = 0; at < sql.size();) {
      auto end = sql.find('\n', at);
      if (end == sql.npos) end = sql.size();
      sqlite3_exec(db_, sql.substr(at, end - at).c_str(), nullptr, nullptr, nullptr);
      at = end + 1;
    }
    if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr);
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }

 private:
  sqlite3* db_ = nullptr;
};

/// The lines before "--" make tables, those after it write.
void use_schema(std::string_view in) {
  const std::string folder = fresh_folder();
  const std::string path = folder + "/file.db";
  const auto half = std::min(in.find("\n--\n"), in.size());
  {
    Application application(path);
    application.run("CREATE TABLE base(a, b)");
    application.run(in.substr(0, half));
    World world;
    const auto store = open_store(path, world);
    const auto tracked = store->track_all();
    expect_words(tracked.status());
    application.run(in.substr(half));
    (void)store->changed_outside();
    const auto sealed = store->seal();
    expect_words(sealed.status());
    const auto problems = store->check();
    expect_words(problems.status());
    if (sealed.ok() && problems.ok()) {
      expect(problems->empty(), "sound bookkeeping", problems->empty() ? "" : problems->front());
    }
    expect_words(store->status().status());
    expect_words(store->cut({}, {}).status());
    expect_words(store->untrack_all());
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

/// What somebody asks of a file that is there.
void ask(std::string_view in) {
  static auto* const world = new World;
  static auto* const victim = new Victim(*world);
  static const bool filled = (victim->sql(kRows), true);
  (void)filled;
  auto& store = victim->store();
  const auto before = victim->dump();
  Feed feed(in);
  const auto what = feed.below(5);
  const auto split = feed.byte();
  const std::string one(feed.bytes(split)), two(feed.rest());
  switch (what) {
    case 0:
      expect_words(store.track(one));
      break;
    case 1:
      expect_words(store.set_policy(one, two, "max"));
      expect_words(store.set_policy("item", "amount", two));
      break;
    case 2:
      expect_words(store.resolve(one, {Resolution::Kind::change, "name", two}));
      break;
    case 3:
      expect_words(store.forget_member(two));
      break;
    default:
      expect_words(store.untrack(one + "\x01"));
  }
  expect(victim->dump() == before, "rows that nobody wrote to stay as they are");
}

void read_words(std::string_view in) {
  for (std::size_t at = 0; at < in.size();) {
    const auto end = storage::token_end(in, at);
    expect(end > at && end <= in.size(), "a token that ends");
    (void)storage::unquoted(in.substr(at, end - at));
    at = end;
  }
  const std::string text(in);
  const auto endpoint = net::parse_endpoint(text);
  expect_words(endpoint.status());
  if (endpoint.ok()) {
    const auto again = net::parse_endpoint(net::format_endpoint(endpoint->host, endpoint->port));
    expect(again.ok() && again->host == endpoint->host && again->port == endpoint->port,
           "an endpoint to read as it was written", text);
  }
  const auto quoted = cli::json(text);
  expect(quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"', "a JSON string");
  std::vector<std::string> words{""};
  for (const char c : text) {
    if (c == '\n') {
      words.emplace_back();
    } else {
      words.back() += c == '\0' ? ' ' : c;
    }
  }
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  (void)cli::parse(static_cast<int>(argv.size()), argv.data());
}

}  // namespace
}  // namespace mycelial::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fuzz = mycelial::fuzz;
  fuzz::choose(data, size, {fuzz::use_schema, fuzz::ask, fuzz::read_words});
  return 0;
}
