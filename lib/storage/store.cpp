// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <utility>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

/// Failures of the file name it.
Status naming(const std::string& path, const Status& status) {
  const bool of_file = status.code() == Errc::busy || status.code() == Errc::io ||
                       status.code() == Errc::corrupt || status.code() == Errc::version;
  if (!of_file || status.message().find(path) != std::string_view::npos) return status;
  return {status.code(), fmt::format("{}: {}", path, status.message())};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const StoreOptions& options) {
  std::unique_ptr<StoreImpl> store;
  const Status status = guard([&] {
    store = std::make_unique<StoreImpl>(path, options);
    store->start();
  });
  if (!status.ok()) return naming(path, status);
  return std::unique_ptr<Store>(std::move(store));
}

StoreImpl::StoreImpl(const std::string& path, const StoreOptions& options)
    : options_(options),
      path_(path),
      db_(path, SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0)),
      app_triggers_(db_),
      meta_(db_),
      witness_(path),
      files_(path + "-mycelial-units"),
      staging_(files_) {}

StoreImpl::~StoreImpl() = default;

void StoreImpl::start() {
  sqlite3_busy_timeout(db_.handle(), static_cast<int>(options_.busy_timeout_ms));
  db_.exec("PRAGMA schema_version");  // "file is not a database" comes out here
  if (options_.exclusive && sqlite3_db_readonly(db_.handle(), "main") == 1) {
    throw SqliteError(SQLITE_READONLY);
  }
  // With a rollback journal, FULL would let a loss of power take the last commit back, and with it
  // numbers that have left already. See choose_sync() for WAL.
  db_.exec(options_.synchronous_full ? "PRAGMA synchronous = EXTRA" : "PRAGMA synchronous = OFF");
  db_.exec(
      "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF; PRAGMA trusted_schema = ON");
  // Applications checkpoint after 1000 pages: so they do it where they write, and we do it only
  // where nobody else does. docs/decisions/0019-checkpoints.md
  db_.exec("PRAGMA wal_autocheckpoint = 4000");
  std::int64_t holder = 0;
  if (options_.exclusive && !witness_.acquire(&holder)) {
    throw StorageError(Errc::busy,
                       fmt::format("{} is served already by process {}; stop that one, or "
                                   "give this one a file of its own",
                                   path_, holder));
  }
  // An earlier run may have ended between a commit and its sync.
  unsynced_ = options_.synchronous_full && db_.is_wal();
  const auto look = [&] { return read_only([] {}); };
  Status opened = !options_.exclusive ? look() : write([&] {
    sealed_now_ = true; /* a new nonce */
    if (options_.retention_ms) {
      meta_.set("retention_ms", core::Value::of(static_cast<std::int64_t>(*options_.retention_ms)));
    }
    if (options_.conflicts_max) {
      meta_.set("conflicts_max", core::Value::of(options_.conflicts_max));
    }
  });
  // Somebody holds a long transaction: what must be written waits for the first moment to write.
  if (opened.code() == Errc::busy && Meta::exists(db_)) opened = look();
  if (!opened.ok()) throw StorageError(opened.code(), std::string(opened.message()));
}

/// One write transaction. What `work` throws rolls everything back, caches included.
Status StoreImpl::write(const std::function<void()>& work) {
  const Status status = guard([&] {
    bool begun = false;
    try {
      sync();
      choose_sync();
      Transaction transaction(db_);
      meta_.begin();
      begun = true;
      const auto before = NewestSnapshot::of(db_);
      Meta::create(db_);
      refresh(true);
      check_identity();
      finish_rearming();
      show_known_policies();
      work();
      if (std::exchange(list_grew_, false)) trim_conflicts();
      segments_->flush();
      const bool told = save_members_along();
      if (sealed_now_) renew_nonce(nonce_);
      meta_.save_clock();
      transaction.commit();
      if (told) {
        book_.saved();
        members_saved_at_ = options_.clock->monotonic_ms();
      }
      after_commit(before);
    } catch (...) {
      if (!begun) throw;  // somebody else writes; nothing has changed
      sealed_now_ = false;
      publishing_.clear();
      nonce_before_.clear();
      vanished_.clear();
      rearmed_.clear();
      unwatched_.clear();
      renamed_.clear();
      rebuilt_.clear();
      dropped_.clear();
      inherited_ = false;
      list_grew_ = false;
      list_sum_.reset();
      rowids_checked_ = false;
      cache_version_ = -1;
      schema_version_ = -1;
      tail_bytes_.reset();
      app_triggers_.forget();
      if (segments_) segments_->discard();
      meta_.undo();
      throw;
    }
  });
  return naming(path_, status);
}

/// With a WAL, a commit need not wait for the disk while it holds the write lock: after_commit()
/// waits instead. A rollback journal has to be on the disk before the database is touched.
void StoreImpl::choose_sync() {
  const bool later = options_.synchronous_full && db_.is_wal();
  if (later == sync_later_) return;
  db_.exec(later ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = EXTRA");
  sync_later_ = later;
}

/// Others can write by now. Nothing may leave before the commit is on the disk.
void StoreImpl::after_commit(const NewestSnapshot& before) {
  if (!before.is_newest(db_) && before.is_read(db_)) ++collisions_;
  sealed_now_ = false;
  published_.insert(published_.end(), publishing_.begin(), publishing_.end());
  publishing_.clear();
  unsynced_ = sync_later_;
  const Status durable = guard([&] { sync(); });
  // Before anything leaves: a file that still has the old nonce is an older copy. So is one that
  // loses this commit because the disk failed.
  if (!nonce_before_.empty()) witness_.forget_nonce(nonce_before_, nonce_);
  nonce_before_.clear();
  if (!durable.ok()) throw StorageError(durable.code(), std::string(durable.message()));
}

/// What is committed and could not be synced is held by nobody until it is.
void StoreImpl::sync() {
  if (unsynced_) db_.sync_wal();
  unsynced_ = false;
}

Status StoreImpl::read_only(const std::function<void()>& work) {
  const Status status = guard([&] {
    try {
      sync();
      Transaction transaction(db_, "BEGIN");
      if (Meta::exists(db_)) refresh(false);
      work();
      transaction.commit();
    } catch (...) {
      app_triggers_.forget();
      throw;
    }
  });
  return naming(path_, status);
}

/// Drops caches when another connection may have changed what they hold.
void StoreImpl::refresh(bool may_write) {
  const auto version = db_.integer("PRAGMA data_version");
  if (version != cache_version_) {
    cache_version_ = -1;  // until all of it is loaded: reading may fail half-way
    if (meta_.reload() && options_.synchronous_full && db_.is_wal()) {
      unsynced_ = true;  // another process applied or sealed, and may not have synced yet
      sync();
    }
    nonce_ = meta_.get("nonce");
    schemas_.clear();
    hidden_known_.clear();
    records_known_.clear();
    graves_known_.clear();
    has_collecting_ = Meta::can_collect(db_);
    load_members();
    if (segments_) segments_->discard();
    list_sum_.reset();
    identity_checked_ = false;
    cache_version_ = version;
    reload_policies();
  }
  if (!segments_) segments_ = std::make_unique<Segments>(db_);
  rearm_if_schema_changed(may_write);
}

/// A file that is not the one we wrote last is a copy: it gets an identity of its own before it can
/// give away a number. What the copy had captured is sealed under the new site; rows whose identity
/// is ours keep the old label, so that original and copy agree about them.
void StoreImpl::check_identity() {
  const bool copied = is_copy();
  if (copied || !rowids_checked_) notice_new_rowids();
  rowids_checked_ = true;
  if (!copied) return;
  identity_checked_ = true;
  const bool born = meta_.site().is_baseline();
  take_site();
  if (born) meta_.set_label(meta_.site());
  renew_nonce({});  // if this is rolled back, the file is still one that nobody knows
}

bool StoreImpl::is_copy() {
  if (!identity_checked_) {
    identity_checked_ = !meta_.site().is_baseline() && witness_.knows(nonce_);
  }
  return !identity_checked_;
}

void StoreImpl::take_site() {
  core::Site fresh;
  do {
    options_.entropy->fill(fresh.bytes.data(), fresh.bytes.size());
  } while (fresh.is_baseline());
  const core::Site former = meta_.site();
  meta_.set_site(fresh);
  // If another copy goes on under it, that one gives a sign of life.
  (void)members()->forget(former);
  db_.exec("UPDATE mycelial_schema SET announced = 0");
  if (!meta_.label().is_baseline()) {
    inherited_ = true;
    seal_journal();
    inherited_ = false;
    meta_.set_label(meta_.site());
  }
}

void StoreImpl::become_new_site() {
  const Status status = write([&] {
    take_site();
    sealed_now_ = true;
  });
  if (!status.ok()) notes_.insert("could not take a new site id: " + status.to_string());
}

void StoreImpl::renew_nonce(const Bytes& current) {
  Bytes next(16, '\0');
  options_.entropy->fill(next.data(), next.size());
  witness_.note(current, next);
  meta_.set("nonce", core::Value::blob(next));
  nonce_before_ = current;
  nonce_ = next;
}

bool StoreImpl::changed_outside() {
  bool changed = false, schema_changed = false;
  const Status status = guard([&] {
    const auto version = db_.integer("PRAGMA data_version");
    changed = version != poll_version_;
    poll_version_ = version;
    schema_changed = changed && db_.integer("PRAGMA schema_version") != schema_version_;
  });
  if (schema_changed) arm_if_due();
  return changed || !status.ok();
}

/// A table without triggers loses writes, so it does not wait for the next seal.
void StoreImpl::arm_if_due() {
  const Status looked = read_only([] {});
  if (looked.ok() && arming_due_) (void)write([] {});
}

Result<std::uint64_t> StoreImpl::journal_entries(std::uint64_t limit) {
  std::uint64_t count = 0;
  const Status status = guard([&] {
    if (!Meta::exists(db_)) return;
    count = count_journal(db_, limit);
  });
  if (!status.ok()) return naming(path_, status);
  return count;
}

Result<std::vector<core::UnitRef>> StoreImpl::seal() {
  // Another connection may have put another file's contents here: then what we hold is other, too.
  bool needed = !losers_.empty();
  Status status = read_only([&] {
    if (!Meta::exists(db_)) return;
    needed = needed || is_copy() || arming_due_ || count_journal(db_, 1) != 0;
  });
  if (!status.ok()) return status;
  if (needed) {
    status = write([&] {
      seal_journal();
      trim_tail();
    });
  }
  if (!status.ok()) return status;
  return std::exchange(published_, {});
}

bool StoreImpl::in_use() {
  bool used = false;
  (void)guard([&] { used = NewestSnapshot::of(db_).is_read(db_); });
  return used;
}

std::set<std::string> StoreImpl::take_notes() {
  return std::exchange(notes_, {});
}

ChangeEvent StoreImpl::take_changes() {
  ChangeEvent out = std::move(changes_);
  out.tables.assign(changed_tables_.begin(), changed_tables_.end());
  changed_tables_.clear();
  changes_ = {};
  return out;
}

}  // namespace mycelial::storage
