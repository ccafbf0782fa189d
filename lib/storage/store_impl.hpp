// SPDX-License-Identifier: Apache-2.0
// The parts of the store, and what they share. One file per idea:
//   store.cpp  opening, transactions, identity    track.cpp   tracking, baseline, schema changes
//   replay.cpp  journal -> rows that were touched  seal.cpp  those rows -> change set
//   arrivals.cpp  units that can be applied
//   apply.cpp  unit -> rows                       settle.cpp  UNIQUE: who is shown
//   tail.cpp   sets kept for peers                cut.cpp     all that a peer lacks
//   book.cpp   where a row's bookkeeping is       report.cpp  status, digest, check
//   overruled.cpp  values that nobody sees        choose_policy.cpp  merge policies, chosen
//   conflicts.cpp  all that is not shown           resolve.cpp  what people decide about it
//   lists.cpp      values that nobody sees, told to peers
//   alter.cpp      ALTER TABLE through us
//   orphans.cpp    rows whose parent a peer has deleted
//   collect.cpp  forgetting what all members hold graves.cpp  deaths that are kept for ever
//   members.cpp  what is known of other replicas
//   schema_change.cpp  ALTER TABLE by anybody     rebuild.cpp  tables that were made anew
//   returning.cpp      tables that were untracked and are tracked again
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codec/codec.hpp"
#include "core/row.hpp"
#include "storage/capture.hpp"
#include "storage/files.hpp"
#include "storage/meta.hpp"
#include "storage/newest_snapshot.hpp"
#include "storage/record_batch.hpp"
#include "storage/references.hpp"
#include "storage/returning.hpp"
#include "storage/segments.hpp"
#include "storage/store.hpp"
#include "storage/table_io.hpp"

namespace mycelial::storage {

/// What mycelial_row.status says of a row that no rowid table shows.
enum class RowStatus : std::uint8_t {
  shown = 0,  ///< In a WITHOUT ROWID table.
  dead = 1,
  hidden = 2,  ///< A higher row holds one of its unique values.
  parked = 3,  ///< The table is not tracked here.
  broken = 4,  ///< CHECK, NOT NULL, a type or another key forbids it here.
};

/// Where a row's bookkeeping is, and what it says.
struct BookRow {
  enum class Place : std::uint8_t { none, segment, record } place = Place::none;
  std::int64_t rowid = 0;
  RowStatus status = RowStatus::dead;
  RowState state;
  bool shown() const {
    return place == Place::segment || (place == Place::record && status == RowStatus::shown);
  }
};

/// A row named: which table, which identity.
struct RowName {
  std::uint32_t table = 0;
  core::Identity identity;
  auto operator<=>(const RowName&) const = default;
};

constexpr std::uint64_t kRetentionMs = std::uint64_t{30} * 24 * 3600 * 1000;

/// Begins the kind of a listed value that somebody has dismissed.
constexpr std::string_view kDismissed = "dismissed ";

void decode_record(ByteView data, RowState& out);
std::string iso_time(std::uint64_t ms);

/// A row with something to forget: a shown one, or a record.
struct Forgettable {
  std::uint32_t table = 0;
  std::int64_t rowid = 0;
  core::Identity identity;  ///< Empty: a shown one.
  Bytes data;               ///< Of the record, as it was found.
};

/// Through the book in search of what can be forgotten: how far it has come, what it has found.
struct Walk {
  std::vector<std::uint64_t> floor;   ///< By Origin.
  std::vector<std::uint32_t> tables;  ///< Still to do, from the back.
  std::int64_t segment = std::numeric_limits<std::int64_t>::min();
  bool in_records = false;
  Bytes record;                       ///< The last one that was looked at.
  std::uint64_t set = 0;              ///< The same of the tail.
  std::optional<std::int64_t> spare;  ///< Bytes of sets to forget.
  bool over = false, forgot = false;
  std::uint64_t steps = 0;
  std::uint64_t alive = 0, dead = 0;  ///< Rows, so far.
  std::vector<Forgettable> found;
  std::vector<std::uint64_t> sets;
  std::vector<std::uint64_t> killers;  ///< By Origin: of what was found.
};

class StoreImpl final : public Store {
 public:
  StoreImpl(const std::string& path, const StoreOptions& options);
  ~StoreImpl() override;
  void start();

  Status track(const std::string& table) override;
  Result<std::vector<TrackedTable>> track_all() override;
  Status untrack(const std::string& table) override;
  Status untrack_all() override;
  Status alter(const std::string& sql) override;
  Status set_policy(const std::string& table, const std::string& column,
                    const std::string& policy) override;
  Result<std::vector<PolicyInfo>> policies() override;
  bool changed_outside() override;
  Result<std::uint64_t> journal_entries(std::uint64_t limit) override;
  Result<std::vector<core::UnitRef>> seal() override;
  bool in_use() override;
  std::uint64_t collisions() const override { return collisions_; }
  ChangeEvent take_changes() override;
  std::set<std::string> take_notes() override;
  Result<ReplicaStatus> status() override;
  Result<std::vector<Conflict>> conflicts() override;
  Status resolve(const std::string& conflict, const Resolution& how) override;
  Result<std::string> digest() override;
  Result<std::vector<std::string>> check() override;

  core::Site site() const override { return meta_.site(); }
  const core::Have& have() const override { return meta_.have(); }
  std::optional<Hash> hash_at(const core::Stream& stream, std::uint64_t seq) const override;
  core::ListSum list() override;
  std::vector<std::uint32_t> list_parts(std::size_t most, std::uint64_t since_ms) override;
  Result<core::UnitRef> list_unit(std::span<const std::uint32_t> sums,
                                  std::uint64_t since_ms) override;
  std::optional<std::vector<core::UnitRef>> tail(const core::Stream& stream, std::uint64_t first,
                                                 std::uint64_t last) const override;
  Result<core::UnitRef> cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips,
                            const std::vector<Hash>& resume) override;
  Result<Bytes> read(const core::UnitRef& unit, std::uint64_t offset,
                     std::size_t size) const override;
  Status stage(const core::UnitRef& unit, std::uint64_t offset, ByteView bytes) override;
  std::vector<core::ByteRange> missing(const core::UnitRef& unit) const override;
  std::vector<core::UnitRef> staged() const override;
  void drop_staged(const Hash& unit) override;
  Result<Applied> apply_staged() override;
  void become_new_site() override;

  core::MemberBook* members() override;
  Result<bool> collect() override;
  Result<std::vector<MemberInfo>> describe_members() override;
  OwnSets own_sets() override;
  Status forget_member(const std::string& site) override;
  Status save_members_now() override;

 private:
  friend class Sealer;
  friend class Applier;
  friend class Orphans;
  friend class Settler;

  // store.cpp
  Status write(const std::function<void()>& work);
  void choose_sync();
  void after_commit(const NewestSnapshot& before);
  void sync();
  Status read_only(const std::function<void()>& work);
  void refresh(bool may_write);
  void check_identity();
  void take_site();
  bool is_copy();
  void renew_nonce(const Bytes& current);
  std::uint64_t now_ms() { return options_.clock->wall_ms(); }

  // schema_change.cpp
  void load_tables();
  void reload_tables();
  TableIo* table(std::uint32_t id);
  void rearm_if_schema_changed(bool may_write);
  void finish_rearming();
  static bool move_cells(core::Row& row, const ColumnMoves& moves);
  bool await_missing(bool may_write);
  void arm_if_due();
  void forget(std::uint32_t table);
  void notice_new_rowids();

  // track.cpp
  void enable_wal();
  std::string why_left_out(const std::string& name);
  void track_these(const std::vector<std::string>& names);
  void add_baseline(TableIo& io);
  std::optional<Likeness> likeness(const TableIo& io, ByteView identity);
  void reveal_parked(TableIo& io);
  void park(TableIo& io);
  void untrack_one(std::uint32_t id);
  TableIo* tracked_here(const std::string& name);

  // choose_policy.cpp
  void note_policy(TableIo* io, std::uint32_t table, const PolicyChoice& lost,
                   const PolicyChoice& won);
  void adopt_policies(TableIo& io);
  void reload_policies();
  void show_known_policies();
  std::vector<Reference> references_from(const TableIo& io);
  using References = std::map<std::uint32_t, std::vector<Reference>>;
  const References& references();
  const std::vector<Reference>& references_to(std::uint32_t parent);

  struct Vanished {  ///< A row that a peer deleted, and that others may refer to.
    std::uint32_t table = 0;
    core::Identity identity;
    std::vector<core::OwnedValue> values;
    bool restored = false;
  };

  // seal.cpp
  std::optional<core::UnitRef> seal_journal();
  core::UnitRef publish(codec::BodyWriter& writer);

  // alter.cpp
  void run_alteration(const std::string& sql, const std::string& table, const std::string& dropped);
  void keep_column(TableIo& io, std::uint32_t column);

  // conflicts.cpp
  struct Listed {  ///< A conflict, and what it is about.
    Conflict conflict;
    std::uint32_t table = 0;
    core::Identity identity;
    std::int64_t entry = 0;  ///< In mycelial_conflict; 0: it is found by looking.
  };
  std::vector<Listed> listed_conflicts();
  void add_listed(std::vector<Listed>& out, std::uint32_t table, ByteView identity, Conflict c);
  void list_parked_columns(TableIo& io, std::vector<Listed>& out);
  void list_rows(std::vector<Listed>& out);
  void list_overruled(std::vector<Listed>& out);
  std::string describe_cells(std::uint32_t table, const core::Row& row);
  std::string shown_in(std::uint32_t table, ByteView identity, std::string_view column,
                       std::string_view when_listed);

  // book.cpp
  /// The forms with an out-parameter use its memory again.
  BookRow find_row(std::uint32_t table, TableIo* io, ByteView identity);
  void find_row(std::uint32_t table, TableIo* io, ByteView identity, BookRow& out);
  void find_record(std::uint32_t table, ByteView identity, BookRow& out);
  std::optional<LocalIdentity> local_identity(ByteView identity);
  core::Identity wire_identity(const LocalIdentity& id) const;
  core::Row unpack(const BookRow& row, TableIo* io);
  void unpack(const BookRow& row, TableIo* io, core::Row& out);
  void put_shown(const TableIo& io, std::int64_t rowid, ByteView identity, const core::Row& row);
  void put_shown(const TableIo& io, std::int64_t rowid, ByteView identity);
  void put_record(std::uint32_t table, ByteView identity, RowStatus status, const core::Row& row,
                  ByteView blocker = {});
  RecordBatch& new_records();  ///< Empty, to be filled and given to put_new_records().
  std::size_t put_new_records(RecordBatch& batch, std::uint32_t table);
  void write_record(std::uint32_t table, ByteView identity, RowStatus status, ByteView blocker);
  void erase_record(std::uint32_t table, ByteView identity);
  std::vector<core::Identity> shown_records(std::uint32_t table);
  bool has_hidden(std::uint32_t table);
  bool has_records(std::uint32_t table);  ///< In mycelial_row.

  // graves.cpp
  bool has_graves(std::uint32_t table);
  bool has_grave(std::uint32_t table, ByteView identity);
  void find_grave(std::uint32_t table, ByteView identity, BookRow& out);
  void bury(std::uint32_t table, ByteView identity);

  // collect.cpp
  std::uint64_t retention_ms();
  core::Patience patience();
  void begin_collecting();
  void end_collecting();
  void note_forgettable(Forgettable item, const core::Marks& killers);
  bool look_at_segments(std::uint32_t table);
  bool look_at_records(std::uint32_t table);
  bool look_at_tail();
  void walk_on();
  void forget_row(const Forgettable& item);
  void forget_found();

  // members.cpp
  void load_members();
  bool save_members();
  bool save_members_along();
  Status save_members_if_due();

  // arrivals.cpp
  struct Waiting {  ///< A whole unit.
    core::UnitRef ref;
    Staging::View bytes;
    std::optional<codec::UnitView> unit;  ///< Once needed; then its hash is right.
  };
  using Queue = std::vector<Waiting>;  ///< Of one stream, in order.
  bool ready(const core::Header& header, bool* known) const;
  const codec::UnitView& decoded(Waiting& waiting);
  std::vector<Queue> queues(std::vector<std::pair<core::UnitRef, Status>>& rejected);
  bool is_beyond(const core::UnitRef& unit) const;
  bool may_apply_any(std::vector<Queue>& queues);
  bool apply_if_ready(Waiting& waiting, std::set<Hash>& done);
  bool apply_waiting(std::vector<Queue>& queues, std::set<Hash>& done);
  void apply_unit(const codec::UnitView& unit, ByteView bytes);

  // apply.cpp
  const core::Schema* schema_of(const Hash& hash);
  void remember_schema(const core::Schema& schema, bool announced);

  // resolve.cpp
  const Listed& find_listed(const std::vector<Listed>& all, const std::string& id);
  using NewValues = std::vector<std::pair<std::uint32_t, core::OwnedValue>>;  // by column id
  static bool names_row(const TableIo& io, ByteView identity, std::uint32_t position);
  NewValues renewed_claims(TableIo& io, const core::Row& row, ByteView identity);
  NewValues changed_value(TableIo& io, const core::Row& row, ByteView identity,
                          const Resolution& how);
  void decide_row(const Listed& what, const Resolution& how);
  void decide_value(const Listed& what, const Resolution& how);
  void write_as_application(TableIo& io, const Listed& what);

  // lists.cpp
  void for_each_hashed(std::uint64_t since_ms,
                       const std::function<void(const core::Overruled&, std::uint64_t)>& give);
  std::vector<std::uint32_t> sums_of(std::size_t parts, std::uint64_t since_ms);
  void add_to_list(ByteView body);

  // overruled.cpp
  void note_conflict(std::uint32_t table, const core::Overruled& overruled);
  std::optional<core::Overruled> listed(std::uint32_t table, ByteView identity,
                                        const std::string& column, const std::string& value);
  void for_each_overruled(const std::function<void(const core::Overruled&)>& give);
  std::uint64_t conflicts_max();
  void trim_conflicts();
  void list_changes();

  // settle.cpp
  struct Rival;
  void settle(std::uint32_t table, std::set<core::Identity> contested);
  core::Identity identity_of(TableIo& io, const TableIo::Holder& holder);
  std::vector<Rival> rivals_of(TableIo& io, std::set<core::Identity> contested);
  void place(TableIo& io, Rival& rival);
  void book_shown(TableIo& io, Rival& rival, std::int64_t rowid);
  void demote(TableIo& io, ByteView identity);
  bool is_own_loser(TableIo& io, ByteView identity, const core::Row& row);
  void put_hidden(TableIo& io, ByteView identity, RowStatus status, const core::Row& row,
                  ByteView blocker);
  void drop_claims(std::uint32_t table, ByteView identity);
  std::vector<core::Value> values_of(TableIo& io, const core::Row& row, std::deque<Bytes>& bytes);
  std::set<core::Identity> claimants(TableIo& io, std::span<const core::Value> values);

  // cut.cpp
  core::Header cut_header(const std::vector<std::pair<core::Stream, core::Tip>>& tips);
  void cut_body(const core::Header& header, ScratchFile& file);
  core::UnitRef keep_unit(const core::Header& header, const ScratchFile& body,
                          const std::string& name);
  core::UnitRef make_cut(const std::vector<std::pair<core::Stream, core::Tip>>& tips);

  // tail.cpp
  core::UnitRef keep_set(const core::Header& header, const Hash& id, ByteView bytes);
  void trim_tail();
  std::vector<core::UnitRef> damaged_sets();
  std::uint64_t share_of_file(std::uint64_t least);
  std::uint64_t tail_limit();
  std::uint64_t acked_limit();

  StoreOptions options_;
  std::string path_;
  mutable Connection db_;
  AppTriggers app_triggers_;
  Meta meta_;
  Witness witness_;
  UnitFiles files_;
  Staging staging_;
  std::unique_ptr<Segments> segments_;
  std::unique_ptr<RecordBatch> new_records_;
  std::map<std::uint32_t, std::unique_ptr<TableIo>> tables_;
  std::map<Hash, core::Schema> schemas_;
  /// By parent: foreign keys whose orphans do not just stay. Absent: not looked for yet.
  std::optional<References> references_;
  std::vector<Vanished> vanished_;  // in this transaction
  std::map<std::uint32_t, bool> hidden_known_, records_known_, graves_known_;  // caches
  RowEntry entry_;                                                             // memory used again
  RowState state_;                                                             // the same
  Bytes record_;                                                               // the same
  std::optional<std::uint64_t> tail_bytes_;  // of sets kept, up to...
  std::uint64_t tail_newest_ = 0;            // ...the set of this order
  mutable std::set<Hash> damaged_;           // sets of it that can only be read with errors
  core::MemberBook book_;
  std::uint64_t members_saved_at_ = 0;
  bool has_collecting_ = false;  // the file's format does
  std::optional<Walk> walk_;
  std::vector<std::uint64_t> collected_;           // by Origin: the floor of the last walk
  std::uint64_t walked_at_ = 0, walked_sets_ = 0;  // when the last walk began, and with what
  bool crowded_ = false;                           // after the last walk
  std::uint64_t collect_at_ = 0, pause_ms_ = 0;
  std::map<Hash, core::UnitRef> cuts_;     // made for peers, in this run
  std::optional<core::ListSum> list_sum_;  // of the list of conflicts, if it is known
  Hash list_unit_;                         // made of it for a peer last
  bool list_grew_ = false;                 // in this transaction
  Bytes nonce_, nonce_before_;             // the second one until the first is committed
  std::int64_t schema_version_ = -1;
  bool untracking_all_ = false;                    // nobody waits for tables to come back
  bool arming_due_ = false;                        // a read found triggers that do not fit
  std::map<std::uint32_t, ColumnMoves> rearmed_;   // in this transaction
  std::map<std::uint32_t, TableKind> rebuilt_;     // the same: what they were
  std::set<std::uint32_t> dropped_;                // the same: other tables have their names
  std::map<std::uint32_t, std::uint64_t> gone_;    // tables that are not there; since when
  std::vector<TableMove> renamed_;                 // the same
  std::map<std::uint32_t, ColumnMask> unwatched_;  // columns that capture does not see yet
  std::int64_t cache_version_ = -1, poll_version_ = -1;
  bool identity_checked_ = false;
  bool rowids_checked_ = false;  // in this run, or since the last transaction that failed
  std::int64_t policies_version_ = 0;
  bool inherited_ = false;  // what is being sealed may be another file's, too: see take_site()
  std::vector<core::UnitRef> publishing_;  // made or applied in this transaction, in that order
  std::vector<core::UnitRef> published_;   // committed, and not yet handed to the caller
  bool sync_later_ = false;                // commits are made durable by after_commit()
  bool unsynced_ = false;                  // something committed may not be on the disk yet
  std::uint64_t collisions_ = 0;
  bool sealed_now_ = false;  // this transaction gave a number away
  std::set<RowName>
      losers_;  ///< Rows of ours that lost an automatic key; the next seal re-keys them.
  ChangeEvent changes_;
  std::set<std::string> changed_tables_;
  std::set<std::string> notes_;
};

}  // namespace mycelial::storage
