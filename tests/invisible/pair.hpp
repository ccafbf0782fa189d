// SPDX-License-Identifier: Apache-2.0
// Two databases that are fed the same SQL: one is tracked, the other is not.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mycelial/environment.hpp"
#include "storage/store.hpp"
#include "tests/invisible/client.hpp"

namespace mycelial::invisible {

/// SQL statements, and what mycelial does in between.
using Script = std::vector<std::string>;
constexpr const char* kTrack = "-- track";  ///< All tables.
/// The same, and the untracked file gets triggers that do nothing that can be seen: SQLite does
/// some things otherwise where a table has any trigger.
constexpr const char* kTrackBeside = "-- track beside triggers";
constexpr const char* kSeal = "-- seal";        ///< As an engine does all the time.
constexpr const char* kUntrack = "-- untrack";  ///< All tables; the file is as it was found.

class StepClock final : public Clock {
 public:
  std::uint64_t monotonic_ms() noexcept override { return now; }
  std::uint64_t wall_ms() noexcept override { return now; }
  std::uint64_t now = 1'700'000'000'000;
};

class StepEntropy final : public Entropy {
 public:
  void fill(void* out, std::size_t bytes) noexcept override;
  std::mt19937_64 random{1};
};

class Pair {
 public:
  /// A new folder in there.
  explicit Pair(const std::string& folder);
  ~Pair();
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  /// Empty, or in what the two differ.
  std::string step(const std::string& statement);
  bool renumbers();
  std::string compare_rows();
  /// Seals, and brings all to a third file; what that lacks.
  std::string sync();
  Client& plain() { return *plain_; }
  bool in_transaction() const { return plain_->in_transaction(); }
  /// Tables that are not tracked, and why.
  const std::vector<std::string>& refused() const { return refused_; }

 private:
  std::string do_track();
  void give_triggers();
  void take_triggers();
  std::string do_seal();
  std::string do_untrack();
  Status open_store(const std::string& path, std::unique_ptr<storage::Store>& out);
  std::string compare_with(Client& peer, storage::Store& store);

  std::string folder_;
  StepClock clock_;
  StepEntropy entropy_;
  std::unique_ptr<Client> plain_, tracked_;
  std::unique_ptr<storage::Store> store_;
  std::vector<std::string> refused_;
  bool beside_ = false;          // the untracked file has triggers
  bool changed_schema_ = false;  // since the tables were tracked
  bool broke_off_ = false;       // a tracked table was dropped: its name means nothing to peers
};

/// Runs a script. Empty, or what differed first; `failed_at` is its number, or the script's length
/// if that is only the rows at the end.
std::string play(const Script& script, const std::string& folder, bool every_row, bool with_peer,
                 std::size_t& failed_at);

}  // namespace mycelial::invisible
