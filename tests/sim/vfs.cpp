// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/vfs.hpp"

#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "tests/sim/disk.hpp"
#include "tests/sim/marks.hpp"
#include "tests/sim/random.hpp"

namespace mycelial::sim {
namespace {

using Trouble = Drive::Trouble;

Program* running = nullptr;
Random noise(1);
sqlite3_vfs* below = nullptr;

/// One connection's handle of a file. SQLite allocates what it sees of it.
struct Handle {
  std::string name;
  FilePtr file;
  Program* owner = nullptr;
  int lock = SQLITE_LOCK_NONE;
  bool shares = false;  // uses the WAL index
  bool goes_on_close = false;

  bool dead() const { return owner && owner->dead; }
  bool may_write() const { return !owner || owner->may_write(); }
  bool fails(Trouble what) const {
    return owner && owner->drive && owner->drive->strikes_now(what);
  }
};
struct SqliteFile {
  sqlite3_file base;
  Handle* handle;
};

Handle& of(sqlite3_file* f) {
  return *reinterpret_cast<SqliteFile*>(f)->handle;
}

/// The database that a journal or WAL belongs to.
std::string database_of(const std::string& name) {
  const bool beside = name.ends_with("-wal") || name.ends_with("-journal");
  return beside ? name.substr(0, name.rfind('-')) : name;
}

int close_file(sqlite3_file* f) {
  Handle& h = of(f);
  if (h.shares) h.file->shared.detach(&h);
  h.file->locks.unlock(&h, h.lock, SQLITE_LOCK_NONE);
  if (h.goes_on_close) disk().remove(h.name);
  delete &h;
  return SQLITE_OK;
}
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  const Handle& h = of(f);
  if (h.dead() || h.fails(Trouble::read)) return SQLITE_IOERR_READ;
  const auto want = static_cast<std::size_t>(n);
  const auto got = h.file->read(to, want, static_cast<std::uint64_t>(at));
  if (got == want) return SQLITE_OK;
  std::memset(static_cast<char*>(to) + got, 0, want - got);
  return SQLITE_IOERR_SHORT_READ;
}
int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  const Handle& h = of(f);
  const auto end = static_cast<std::uint64_t>(at) + static_cast<std::uint64_t>(n);
  if (!h.may_write() || h.fails(Trouble::write)) return SQLITE_IOERR_WRITE;
  const bool full = end > h.file->size() && h.fails(Trouble::full);
  const auto bytes = static_cast<std::size_t>(full ? n / 2 : n);
  h.file->write(from, bytes, static_cast<std::uint64_t>(at));
  return full ? SQLITE_FULL : SQLITE_OK;
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
  const Handle& h = of(f);
  if (!h.may_write() || h.fails(Trouble::write)) return SQLITE_IOERR_TRUNCATE;
  h.file->resize(static_cast<std::uint64_t>(size));
  return SQLITE_OK;
}
int sync_file(sqlite3_file* f, int) {
  Handle& h = of(f);
  if (!h.may_write()) return SQLITE_IOERR_FSYNC;
  if (h.owner && h.owner->syncs_may_fail && h.fails(Trouble::sync)) return SQLITE_IOERR_FSYNC;
  const bool lies = h.owner && h.owner->syncs_lie;
  if (!lies) h.file->sync();
  disk().sync_names(database_of(h.name));
  if (h.owner && h.owner->drive && h.owner->drive->on_sync) h.owner->drive->on_sync(h.name);
  return SQLITE_OK;
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(of(f).file->size());
  return SQLITE_OK;
}
int lock_file(sqlite3_file* f, int level) {
  Handle& h = of(f);
  if (h.dead()) return SQLITE_IOERR_LOCK;
  return h.file->locks.lock(&h, h.lock, level) ? SQLITE_OK : SQLITE_BUSY;
}
int unlock_file(sqlite3_file* f, int level) {
  Handle& h = of(f);
  h.file->locks.unlock(&h, h.lock, level);
  return SQLITE_OK;
}
int check_reserved(sqlite3_file* f, int* out) {
  *out = of(f).file->locks.reserved();
  return SQLITE_OK;
}
int file_control(sqlite3_file* f, int op, void* arg) {
  if (op != SQLITE_FCNTL_HAS_MOVED) return SQLITE_NOTFOUND;
  *static_cast<int*>(arg) = disk().find(of(f).name) != of(f).file;
  return SQLITE_OK;
}
int sector_size(sqlite3_file*) {
  return 4096;
}
int device(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}
int shm_map(sqlite3_file* f, int number, int size, int extend, void volatile** out) {
  Handle& h = of(f);
  *out = nullptr;
  if (h.dead()) return SQLITE_IOERR_SHMMAP;
  SharedMemory& shared = h.file->shared;
  if (!std::exchange(h.shares, true)) shared.attach();
  const auto region = static_cast<std::size_t>(number);
  if (extend && !shared.has(region) && h.fails(Trouble::full)) return SQLITE_IOERR_SHMSIZE;
  *out = shared.region(region, static_cast<std::size_t>(size), extend != 0);
  return SQLITE_OK;
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  Handle& h = of(f);
  SharedMemory& shared = h.file->shared;
  if (flags & SQLITE_SHM_UNLOCK) {
    shared.unlock(&h, offset, n);
    return SQLITE_OK;
  }
  if (h.dead()) return SQLITE_IOERR_SHMLOCK;
  return shared.lock(&h, offset, n, flags & SQLITE_SHM_EXCLUSIVE) ? SQLITE_OK : SQLITE_BUSY;
}
void shm_barrier(sqlite3_file*) {}
int shm_unmap(sqlite3_file* f, int) {
  Handle& h = of(f);
  if (std::exchange(h.shares, false)) h.file->shared.detach(&h);
  return SQLITE_OK;
}
int fetch(sqlite3_file*, sqlite3_int64, int, void** out) {  // no memory maps
  *out = nullptr;
  return SQLITE_OK;
}
int unfetch(sqlite3_file*, sqlite3_int64, void*) {
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    3,         close_file,  read_file,      write_file,   truncate_file, sync_file, file_size,
    lock_file, unlock_file, check_reserved, file_control, sector_size,   device,    shm_map,
    shm_lock,  shm_barrier, shm_unmap,      fetch,        unfetch};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out) {
  static std::uint64_t temporary = 0;
  f->pMethods = nullptr;
  const bool unnamed = name == nullptr;
  const std::string path = unnamed ? "temporary " + std::to_string(++temporary) : name;
  FilePtr file = disk().find(path);
  const bool fresh = !file;
  if (fresh) {
    if (!unnamed && !(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    if (running && running->dead) return SQLITE_CANTOPEN;
    file = disk().create(path);
  }
  const bool journal = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
  if (fresh && !journal) disk().sync_names(path);
  reinterpret_cast<SqliteFile*>(f)->handle =
      new Handle{path,    file,
                 running, SQLITE_LOCK_NONE,
                 false,   unnamed || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0};
  f->pMethods = &kMethods;
  if (out) *out = flags;
  return SQLITE_OK;
}
int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
  if (running && !running->may_write()) return SQLITE_IOERR_DELETE;
  if (!disk().find(name)) return SQLITE_IOERR_DELETE_NOENT;
  disk().remove(name);
  if (sync_folder) disk().sync_names(database_of(name));
  return SQLITE_OK;
}
int access_file(sqlite3_vfs*, const char* name, int flags, int* out) {
  const FilePtr file = disk().find(name);
  *out = file && (flags != SQLITE_ACCESS_EXISTS || file->size() > 0);
  return SQLITE_OK;
}
int full_name(sqlite3_vfs*, const char* name, int n, char* out) {
  sqlite3_snprintf(n, out, "%s", name);
  return SQLITE_OK;
}
int random_bytes(sqlite3_vfs*, int n, char* out) {
  for (int i = 0; i < n; ++i) out[i] = static_cast<char>(noise.next());
  return n;
}
int sleep(sqlite3_vfs*, int microseconds) {
  if (running && running->waiting) running->waiting();
  return microseconds;
}
int time_ms(sqlite3_vfs*, sqlite3_int64* out) {
  constexpr sqlite3_int64 kJulian1970 = 210866760000000;
  *out = kJulian1970 +
         static_cast<sqlite3_int64>(running && running->clock ? running->clock->wall_ms() : 0);
  return SQLITE_OK;
}
int time_days(sqlite3_vfs* vfs, double* out) {
  sqlite3_int64 ms = 0;
  const int rc = time_ms(vfs, &ms);
  *out = static_cast<double>(ms) / 86400000.0;
  return rc;
}
int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

int on_statement(unsigned, void* program, void*, void*) {
  const auto* p = static_cast<Program*>(program);
  if (p == running && p->between) p->between();
  return 0;
}
int on_open(sqlite3* db, char**, const sqlite3_api_routines*) {
  if (running && running->between) {
    sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, running);
  }
  return SQLITE_OK;
}

}  // namespace

bool Drive::strikes_now(Trouble what) {
  if (trouble != what) return false;
  if (spared > 0) {
    --spared;
    return false;
  }
  ++strikes;
  static constexpr Mark kMarks[] = {Mark::drive_full, Mark::read_failed, Mark::write_failed,
                                    Mark::sync_failed};
  mark(kMarks[static_cast<std::size_t>(what) - 1]);
  if (once) trouble = Trouble::none;
  return true;
}

Running::Running(Program* program) : before_(std::exchange(running, program)) {}
Running::~Running() {
  running = before_;
}
Program* running_program() {
  return running;
}

void install_vfs() {
  if (below) return;
  static sqlite3_vfs vfs = {};
  // One thread, and many small programs in it.
  sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 1200, 300);
  sqlite3_initialize();
  below = sqlite3_vfs_find(nullptr);
  vfs = *below;
  vfs.zName = "mycelial-sim";
  vfs.szOsFile = static_cast<int>(sizeof(SqliteFile));
  vfs.pNext = nullptr;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = access_file;
  vfs.xFullPathname = full_name;
  vfs.xRandomness = random_bytes;
  vfs.xSleep = sleep;
  vfs.xCurrentTime = time_days;
  vfs.xCurrentTimeInt64 = time_ms;
  vfs.xGetLastError = last_error;
  sqlite3_vfs_register(&vfs, 1);
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(on_open));
}

void seed_vfs(std::uint64_t seed) {
  noise = Random(seed);
  sqlite3_randomness(0, nullptr);
}

}  // namespace mycelial::sim
