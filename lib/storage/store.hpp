// SPDX-License-Identifier: Apache-2.0
// Store: one SQLite file as the session sees it. It seals what triggers captured, applies what
// peers sent, and keeps the bookkeeping (mycelial_* tables) beside the application's tables.
// Not thread-safe: one strand owns it. Errors are Status at this edge.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/exchange.hpp"
#include "core/types.hpp"
#include "mycelial/environment.hpp"
#include "mycelial/replica.hpp"
#include "mycelial/status.hpp"
#include "storage/policies.hpp"

namespace mycelial::storage {

struct StoreOptions {
  Clock* clock = nullptr;      ///< Required.
  Entropy* entropy = nullptr;  ///< Required.
  std::uint32_t busy_timeout_ms = 10000;
  std::uint64_t tail_bytes_max = 0;  ///< 0: max(16 MiB, 5 % of the file).
  std::uint32_t conflicts_max = 0;   ///< 0: as the file says.
  /// A member that is silent for longer is not waited for. None: as the file says.
  std::optional<std::uint64_t> retention_ms = {};
  std::uint64_t collect_every_ms = 60'000;  ///< At least between two walks through the book.
  std::optional<std::uint64_t> acked_bytes_max = {};  ///< Of sets that all have; none: 1 MiB, 5 %.
  std::size_t collect_worth = 200;                    ///< Less is left for the next walk.
  bool create = false;
  /// Take the lease of the file (one holder at a time, also across processes) and check identity:
  /// a copied or restored file gets a new site id. False: look, track and seal only.
  bool exclusive = true;
  Mergers mergers;               ///< Merge policies of the program, by name.
  bool synchronous_full = true;  ///< False only in tests on throw-away files.
};

/// What was sealed here, and who is known to hold it: see ReplicaStatus.
struct OwnSets {
  std::uint64_t sealed = 0, elsewhere = 0, everywhere = 0;
};

class Store : public core::Depot {
 public:
  /// Errors: not_found, corrupt, busy (another holder of the lease), io, version.
  static Result<std::unique_ptr<Store>> open(const std::string& path, const StoreOptions& options);
  ~Store() override = default;

  virtual Status track(const std::string& table) = 0;
  virtual Result<std::vector<TrackedTable>> track_all() = 0;
  virtual Status untrack(const std::string& table) = 0;
  virtual Status untrack_all() = 0;
  /// Runs ALTER TABLE statements, all or none. Errors: not_found, invalid_argument, schema.
  virtual Status alter(const std::string& sql) = 0;
  /// Chooses the merge policy of a column, or of the table (empty `column`), for the whole fleet.
  virtual Status set_policy(const std::string& table, const std::string& column,
                            const std::string& policy) = 0;
  virtual Result<std::vector<PolicyInfo>> policies() = 0;

  /// Forgets deaths and sets that every member holds that we wait for: a few milliseconds of it.
  /// True: there is more to do now. Errors: busy, io.
  virtual Result<bool> collect() = 0;
  virtual Result<std::vector<MemberInfo>> describe_members() = 0;
  virtual OwnSets own_sets() = 0;
  /// Does not wait for this member any more, until it is heard of again. `site`: its id in
  /// hexadecimal, or so much of it that it is the only one. Errors: not_found, invalid_argument.
  virtual Status forget_member(const std::string& site) = 0;
  /// Writes what has been heard of members.
  virtual Status save_members_now() = 0;

  /// True when another connection committed since the last call (cheap: PRAGMA data_version).
  virtual bool changed_outside() = 0;
  /// Entries captured and not sealed, at most `limit` counted.
  virtual Result<std::uint64_t> journal_entries(std::uint64_t limit) = 0;
  /// Seals the whole journal into change sets (none if nothing was captured). Also resumes work
  /// that apply left for later (re-keying of rows that lost an automatic key). Gives every set of
  /// ours made since the last call that no apply_staged() has given.
  virtual Result<std::vector<core::UnitRef>> seal() = 0;

  /// True while another connection, of any process, reads the newest snapshot of a WAL database: if
  /// it goes on to write, a commit of ours meanwhile makes that fail.
  virtual bool in_use() = 0;
  /// Commits so far, since the store was opened, that overtook such a transaction.
  virtual std::uint64_t collisions() const = 0;

  /// Tables and rows touched by apply_staged() since the last call.
  virtual ChangeEvent take_changes() = 0;
  /// What a person should know and status() has not told yet, since the last call.
  virtual std::set<std::string> take_notes() { return {}; }

  /// Fills site, tables, counters, notes (peers are the engine's).
  virtual Result<ReplicaStatus> status() = 0;
  virtual Result<std::vector<Conflict>> conflicts() = 0;
  /// Decides a conflict, by (the start of) its id, for all replicas.
  virtual Status resolve(const std::string& conflict, const Resolution& how) = 0;
  virtual Result<std::string> digest() = 0;
  virtual Result<std::vector<std::string>> check() = 0;
};

}  // namespace mycelial::storage
