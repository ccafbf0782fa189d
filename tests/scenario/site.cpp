// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/site.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

#include "tests/sim/disk.hpp"

namespace mycelial::scenario {
namespace {

std::string shown(sqlite3_stmt* s, int i) {
  const int type = sqlite3_column_type(s, i);
  if (type == SQLITE_NULL) return "NULL";
  if (type != SQLITE_BLOB) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, i));
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(s, i))};
  }
  static const char kDigits[] = "0123456789abcdef";
  std::string out = "x'";
  const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(s, i));
  for (int b = 0; b < sqlite3_column_bytes(s, i); ++b) {
    out += {kDigits[bytes[b] >> 4], kDigits[bytes[b] & 15]};
  }
  return out + "'";
}

std::string name_in_sql(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string unquoted(const std::string& literal) {
  std::string out;
  for (std::size_t i = 1; i + 1 < literal.size(); ++i) {
    out += literal[i];
    if (literal[i] == '\'') ++i;
  }
  return out;
}

}  // namespace

void Site::Process::post_at(std::uint64_t at, Task task) {
  world.post_at(at, [this, task = std::move(task)] {
    if (program.dead) return;
    const sim::Running as(&program);
    task();
  });
}

Site::Site(sim::World& world, sim::Network& network, const std::string& folder, std::string name)
    : world_(world),
      network_(network),
      name_(std::move(name)),
      path_(folder + "/" + name_ + ".db"),
      clock_(world) {
  program_.clock = observer_.clock = &clock_;
  open();
}

Site::~Site() {
  crash();
}

void Site::open() {
  connections_[""] = std::make_unique<sim::Connection>(path_, &program_);
}

void Site::close() {
  connections_.clear();
  reader_ = nullptr;
}

void Site::reconnect() {
  close();
  open();
}

engine::Engine::Setup Site::setup(Process& process, bool exclusive) {
  process.program.clock = &clock_;
  engine::Engine::Setup out;
  out.path = path_;
  out.options.environment = {&clock_, &world_, &process};
  out.options.watch = false;
  out.options.exclusive = exclusive;
  out.publish_peers = false;
  return out;
}

Status Site::start() {
  if (up()) return {};
  processes_.push_back(std::make_unique<Process>(world_));
  Process& process = *processes_.back();
  const sim::Running as(&process.program);
  auto opened = engine::Engine::open(setup(process, true));
  if (!opened.ok()) return opened.status();
  engine_ = *opened;
  process_ = &process;
  Status status = engine_->add_transport(network_.transport(name_));
  if (status.ok()) status = engine_->listen(endpoint()).status();
  for (const auto& peer : peers) {
    if (status.ok()) status = engine_->connect(peer);
  }
  return status;
}

void Site::stop() {
  if (!up()) return;
  const sim::Running as(&process_->program);
  engine_->close();
  engine_ = nullptr;
}

void Site::crash() {
  if (!up()) return;
  process_->program.dead = true;
  network_.kill(name_);
  const sim::Running as(&process_->program);
  engine_ = nullptr;
}

/// What was committed is on the disk: applications here run with synchronous = FULL.
void Site::lose_power() {
  crash();
  program_.dead = observer_.dead = true;
  close();
  sim::Random random(world_.monotonic_ms());
  sim::disk().lose_power(path_, random);
  program_.dead = observer_.dead = false;
  open();
}

void Site::copy_to(const std::string& path) {
  for (const char* suffix : {"", "-wal"}) {
    if (const auto file = sim::disk().find(path_ + suffix)) file->sync();
    sim::disk().copy(path_ + suffix, path + suffix);
  }
}

void Site::restore(const std::string& from) {
  close();
  for (const char* suffix : {"", "-wal"}) sim::disk().copy(from + suffix, path_ + suffix);
  open();
}

Answer Site::run(const std::string& sql, const std::string& connection) {
  reader_ = nullptr;  // some statements want the file for themselves
  auto& db = connections_[connection];
  if (!db) db = std::make_unique<sim::Connection>(path_, &program_);
  const sim::Running as(&program_);
  Answer out;
  const char* rest = sql.c_str();
  while (*rest != '\0' && out.error.empty()) {
    sqlite3_stmt* s = nullptr;
    int rc = sqlite3_prepare_v2(db->handle(), rest, -1, &s, &rest);
    if (rc == SQLITE_OK && s == nullptr) continue;  // blanks
    out.has_rows |= s && sqlite3_column_count(s) > 0;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
      rc = sqlite3_step(s);
      if (rc != SQLITE_ROW) break;
      std::string row;
      const int columns = sqlite3_column_count(s);
      for (int i = 0; i < columns; ++i) row += (i ? "|" : "") + shown(s, i);
      if (columns > 0) out.rows.push_back(row);
    }
    if (rc != SQLITE_DONE) out.error = sqlite3_errmsg(db->handle());
    sqlite3_finalize(s);
  }
  if (up()) {
    world_.post_at(world_.monotonic_ms(), [this, process = process_] {
      if (process == process_ && up()) on_engine([](engine::Engine& e) { e.poke(); });
    });
  }
  return out;
}

/// What `mycelial track` and the like do while nobody serves the file.
template <class F>
auto Site::as_command(F&& work) -> decltype(work(std::declval<engine::Engine&>())) {
  if (up()) return on_engine(work);
  processes_.push_back(std::make_unique<Process>(world_));
  Process& process = *processes_.back();
  const sim::Running as(&process.program);
  auto opened = engine::Engine::open(setup(process, false));
  if (!opened.ok()) return opened.status();
  auto out = work(**opened);
  (*opened)->close();
  return out;
}

Result<std::vector<TrackedTable>> Site::track_all() {
  return as_command([](engine::Engine& e) { return e.track_all(); });
}
Status Site::track(const std::string& table) {
  return as_command([&](engine::Engine& e) { return e.track(table); });
}
Status Site::untrack(const std::string& table) {
  return as_command([&](engine::Engine& e) { return e.untrack(table); });
}
Status Site::alter(const std::string& sql) {
  return as_command([&](engine::Engine& e) { return e.alter(sql); });
}
Status Site::resolve(const std::string& conflict, const Resolution& how) {
  return as_command([&](engine::Engine& e) { return e.resolve(conflict, how); });
}
Status Site::set_policy(const std::string& table, const std::string& column,
                        const std::string& policy) {
  return as_command([&](engine::Engine& e) { return e.set_policy(table, column, policy); });
}
Status Site::untrack_all() {
  return as_command([](engine::Engine& e) { return e.untrack_all(); });
}

std::vector<sim::Row> Site::read(const std::string& sql) {
  const sim::Running as(&observer_);
  std::vector<sim::Row> out;
  if (!reader_) reader_ = std::make_unique<sim::Connection>(path_, &observer_);
  int code = 0;
  out = reader_->rows(sql, &code);
  return code == SQLITE_OK ? out : std::vector<sim::Row>();
}

std::map<std::string, std::pair<std::uint64_t, std::string>> Site::sets_held() {
  std::map<std::string, std::pair<std::uint64_t, std::string>> out;
  for (const auto& r :
       read("SELECT hex(site), seq, hex(hash) FROM mycelial_stream WHERE seq > 0")) {
    out[r[0]] = {std::stoull(r[1]), r[2]};
  }
  return out;
}

bool Site::is_synced() {
  return !read("SELECT 1 FROM sqlite_schema WHERE name = 'mycelial_stream'").empty();
}

bool Site::has_pending() {
  const auto rows = read("SELECT EXISTS(SELECT 1 FROM mycelial_journal WHERE what > 0)");
  return !rows.empty() && rows[0][0] != "0";
}

std::map<std::string, Contents> Site::tracked_tables() {
  std::map<std::string, Contents> out;
  for (const auto& t : read("SELECT name FROM mycelial_table WHERE tracked")) {
    const std::string name = unquoted(t[0]);
    Contents contents;
    std::string list;
    for (const auto& c : read("SELECT lower(name) FROM pragma_table_xinfo(" + t[0] +
                              ") WHERE hidden = 0 ORDER BY 1")) {
      contents.columns.push_back(unquoted(c[0]));
      list += (list.empty() ? "" : ", ") + name_in_sql(contents.columns.back());
    }
    if (list.empty()) continue;  // dropped
    for (const auto& row : read("SELECT " + list + " FROM " + name_in_sql(name))) {
      auto& cells = contents.rows.emplace_back();
      for (std::size_t i = 0; i < row.size(); ++i) cells[contents.columns[i]] = row[i];
    }
    std::string lower = name;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    out[lower] = std::move(contents);
  }
  return out;
}

}  // namespace mycelial::scenario
