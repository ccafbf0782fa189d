// SPDX-License-Identifier: Apache-2.0
// Replica: a SQLite file that stays in sync with its peers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mycelial/environment.hpp"
#include "mycelial/export.hpp"
#include "mycelial/merge_policy.hpp"
#include "mycelial/status.hpp"
#include "mycelial/transport.hpp"

namespace mycelial {

/// Options of Replica::open. The defaults suit a program that wants to sync and nothing else.
struct ReplicaOptions {
  Environment environment;  ///< Null members: system clock, system entropy, one own thread.
  /// Milliseconds to let writes gather before they are sealed and sent.
  std::uint32_t debounce_ms = 3;
  /// How long to wait for a lock that the application holds.
  std::uint32_t busy_timeout_ms = 10000;
  /// Watch the file for commits by other processes (inotify, else polling).
  bool watch = true;
  /// Take the links of this file: only one replica at a time may. False: a second opener that
  /// reads status, tracks tables or seals, while another serves.
  bool exclusive = true;
  /// Change sets kept for peers that are behind; beyond it they get a cut. 0: max(16 MiB, 5 %).
  std::uint64_t tail_bytes_max = 0;
  /// Overruled values that stay listed (see Replica::conflicts); beyond it the oldest are
  /// forgotten. Kept in the file. 0: as the file says, 10,000 at first.
  std::uint32_t conflicts_max = 0;
  /// Merge policies of the program, to be chosen with Replica::set_policy. Register them wherever
  /// a file that uses them is opened.
  std::vector<std::shared_ptr<const MergePolicy>> policies;
  /// Seconds after which a silent member is not waited for any more: what it lacks is forgotten,
  /// and when it returns it gets all rows at once. Kept in the file. 0: as the file says, 30 days
  /// at first.
  std::uint64_t retention_s = 0;
  /// What one link may bring in the long run; a peer that sends more is read from more slowly. 0:
  /// no limit. Works on links that stop reading when they are not told of bytes consumed, as TCP's
  /// do.
  std::uint64_t receive_bytes_per_second_max = 0;
  /// Told in words when a peer comes or goes, and when work fails or goes on again. Runs on the
  /// executor; must not call into the replica. Empty: nobody listens.
  std::function<void(const std::string& line)> log;
};

struct TrackedTable {
  std::string name;
  bool tracked = true;  ///< False: refused or skipped; `reason` says why and what to do.
  std::string reason;
};

struct PeerInfo {
  std::string endpoint;  ///< Where the link goes.
  std::string site;      ///< Hexadecimal site id, empty until the peer spoke.
  bool connected = false;
  bool in_sync = false;
  std::uint64_t they_lack_sets = 0;
  std::uint64_t we_lack_sets = 0;
  std::string last_error;
};

struct ReplicaStatus {
  std::string path;
  std::string site;  ///< Hexadecimal site id of this file.
  std::vector<TrackedTable> tables;
  std::vector<TrackedTable> untracked;  ///< The other tables; why track_all() leaves them out.
  std::vector<PeerInfo> peers;
  std::uint64_t journal_entries = 0;  ///< Captured, not sealed yet.
  std::uint64_t sets_held = 0;        ///< Dots held, over all streams.
  std::uint64_t streams = 0;
  std::uint64_t tail_sets = 0, tail_bytes = 0;
  /// Change sets sealed here; of these, how many some other replica is known to hold (what would
  /// survive the loss of this device), and how many every member that is not forgotten holds.
  std::uint64_t own_sets = 0, own_sets_elsewhere = 0, own_sets_everywhere = 0;
  std::uint64_t hidden_rows = 0, parked_rows = 0, superseded = 0;
  /// Writes of the serving process that overtook an open transaction of the application: if that
  /// one went on to write, it met SQLITE_BUSY. Since the process opened the file.
  std::uint64_t collisions = 0;
  std::string last_error;           ///< Empty when all is well.
  std::vector<std::string> notes;   ///< Things a person should know (fast clocks, ...).
  std::uint64_t retention_s = 0;    ///< See ReplicaOptions; what holds now.
  std::uint64_t conflicts_max = 0;  ///< The same.
  /// What the SQLite that this program runs with can do to the file, by its version; empty: nothing
  /// is known.
  std::string sqlite_warning;
};

/// What is known of one replica of the fleet: at first hand, or because others said it.
struct MemberInfo {
  std::string site;  ///< Hexadecimal site id.
  bool is_self = false;
  std::string last_heard;        ///< Its latest sign of life: UTC, ISO 8601. Empty for ourselves.
  std::uint64_t silent_s = 0;    ///< Seconds since then.
  std::uint64_t lacks_sets = 0;  ///< Sets held here that it is not known to hold.
  bool holds_back = false;       ///< Deaths and sets that it lacks are kept for it.
  bool forgotten = false;        ///< Nobody here waits for it, until it is heard of again.
};

/// One thing that is not shown as it was written, and why.
struct Conflict {
  std::string table = {};
  std::string row = {};     ///< The row's key, or its identity when it has none.
  std::string column = {};  ///< Empty: the whole row.
  /// "hidden", "parked", "superseded", "deleted", "restored", "orphan" (refers to nothing) or
  /// "policy".
  std::string kind = {};
  std::string value = {};   ///< What is not shown, as SQL literal(s).
  std::string winner = {};  ///< What is shown instead, if anything.
  std::string rule = {};    ///< Which rule decided.
  std::string since = {};   ///< When it was written, as far as that is known. UTC, ISO 8601.
  /// Names it to Replica::resolve; the same on all replicas. Empty: a summary of many.
  std::string id = {};
};

/// What becomes of a conflict: see Replica::resolve.
struct Resolution {
  enum class Kind : std::uint8_t {
    restore = 1,  ///< What is listed shows from now on; what hid it or overruled it gives way.
    dismiss = 2,  ///< It is given up: a hidden row is deleted, a value is not listed any more.
    change = 3,   ///< A hidden row gets another value, with which it can be shown.
  };
  Kind kind = Kind::dismiss;
  std::string column;  ///< change: which...
  std::string value;   ///< ...and its new value, an SQL literal: 12, 'text', x'00ff', NULL.
};

/// A merge policy that somebody chose: see Replica::set_policy.
struct PolicyInfo {
  std::string table;
  std::string column;  ///< Empty: the table.
  std::string policy;
  bool known = true;  ///< False: a policy of another program; the last write shows here.
};

/// Told after rows of other sites became visible in the file. Runs on the replica's executor; must
/// not call into the replica.
struct ChangeEvent {
  std::vector<std::string> tables;
  std::uint64_t rows = 0;
};
using ChangeCallback = std::function<void(const ChangeEvent&)>;

/// A SQLite file, opened for syncing. The application goes on using the file with its own SQLite
/// connections, in this or any other process.
/// Threads: all methods from any thread, but not from inside callbacks.
class MYCELIAL_API Replica {
 public:
  /// Opens an existing SQLite file (an empty or absent file is created when `create` is set).
  /// Errors: not_found, corrupt (not a database), busy (another process serves this file), io,
  /// version (made by a newer mycelial), unsupported (two copies of SQLite in this process).
  static Result<std::unique_ptr<Replica>> open(const std::string& path,
                                               const ReplicaOptions& options = {},
                                               bool create = false);
  virtual ~Replica() = default;  ///< Closes.

  /// Starts capturing a table. Rows that are there become the baseline. Idempotent.
  /// Errors: not_found, schema (refused; the message says why and the remedy), busy.
  virtual Status track(const std::string& table) = 0;
  /// Every ordinary table. Those that cannot be tracked, and those in which a framework keeps the
  /// migrations that this file has seen, are listed with their reasons.
  virtual Result<std::vector<TrackedTable>> track_all() = 0;
  /// Leaves the table as if it had never been tracked. Never deletes rows anywhere.
  virtual Status untrack(const std::string& table) = 0;
  virtual Status untrack_all() = 0;

  /// Runs ALTER TABLE statements, all or none. Needed for DROP COLUMN alone, which SQLite refuses
  /// to others while triggers name the column. What the column held stays known, for peers that
  /// have it. Holds the write lock meanwhile: seconds for a million rows.
  /// Errors: not_found (nothing is tracked), invalid_argument (not ALTER TABLE), schema (SQLite
  /// refuses it; nothing is changed), busy.
  virtual Status alter(const std::string& sql) = 0;

  /// Chooses how concurrent writes of a column merge, or those of all columns of a table (empty
  /// `column`): "lww" (the default), "fww", "max", "min", "counter", "set", "json", the name of a
  /// policy in ReplicaOptions::policies, or, for a table, "row". For a column of a foreign key also
  /// what becomes of rows whose parent a peer deletes: "keep" (the default), "delete", "restore".
  /// The choice travels to all replicas; of several, the last one holds. docs/guide/policies.md
  /// tells what each does. Errors: not_found, invalid_argument (no such policy, or not for this
  /// column), busy.
  virtual Status set_policy(const std::string& table, const std::string& column,
                            const std::string& policy) = 0;
  /// What has been chosen, for tables that are tracked here.
  virtual Result<std::vector<PolicyInfo>> policies() = 0;

  /// Adds a way to reach peers, chosen by endpoint scheme. memory:// and tcp:// are there already.
  virtual Status add_transport(std::unique_ptr<Transport> transport) = 0;
  /// Accepts peers. Gives the endpoint really bound.
  virtual Result<std::string> listen(const std::string& endpoint) = 0;
  /// Keeps a link to a peer up from now on, retrying for ever.
  virtual Status connect(const std::string& endpoint) = 0;
  /// Connects, waits until both sides hold the union, and returns. Blocks.
  /// Errors: canceled (deadline), io (unreachable), or what stopped the sync.
  using Progress =
      std::function<void(std::uint64_t sets_missing_here, std::uint64_t missing_there)>;
  virtual Status sync(const std::string& endpoint, std::uint32_t timeout_ms,
                      const Progress& progress = {}) = 0;
  /// Turns captured writes into a change set now instead of when a link can use it.
  virtual Status seal() = 0;

  virtual Result<ReplicaStatus> status() = 0;
  /// What is not shown as it was written. A write that nobody sees and nobody had seen when it was
  /// overruled is listed by those where the two met, and by those who got the outcome from them at
  /// once; after several concurrent writes to one cell, replicas may list different ones.
  virtual Result<std::vector<Conflict>> conflicts() = 0;
  /// Decides a conflict, for all replicas. `conflict`: Conflict::id, or the start of it if no other
  /// begins like that. Restoring a value writes it as the application would; rows that are gone,
  /// parked or without a parent are for SQL to mend.
  /// Errors: not_found, invalid_argument (ambiguous, or not for this conflict), schema (a
  /// constraint forbids it; nothing is changed), busy.
  virtual Status resolve(const std::string& conflict, const Resolution& how) = 0;
  /// Hexadecimal; equal if and only if tracked tables hold equal rows.
  virtual Result<std::string> digest() = 0;
  /// Verifies the bookkeeping against the tables; names what is wrong. Empty: sound.
  virtual Result<std::vector<std::string>> check() = 0;

  /// The replicas that this one knows of.
  virtual Result<std::vector<MemberInfo>> members() = 0;
  /// Does not wait for a member any more, until it is heard of again. `site`: its id, or the start
  /// of it if no other begins like that. Errors: not_found, invalid_argument, busy.
  virtual Status forget(const std::string& site) = 0;

  /// Called after remote rows became visible. One callback; an empty one unsubscribes.
  virtual void on_change(ChangeCallback callback) = 0;
  /// Stops links and closes the file. Returns within 2 s whatever the peers do. Idempotent.
  virtual void close() noexcept = 0;
};

}  // namespace mycelial
