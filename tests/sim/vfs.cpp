// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/vfs.hpp"

#include <sqlite3.h>

#include <cstring>
#include <utility>

#include "tests/sim/random.hpp"

namespace mycelial::sim {
namespace {

Program* running = nullptr;
Random noise(1);
sqlite3_vfs* below = nullptr;

/// A file of the VFS below, behind it in memory, and who opened it.
struct File {
  sqlite3_file base;
  Program* owner;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* of(sqlite3_file* f) {
  return reinterpret_cast<File*>(f);
}
sqlite3_file* real(sqlite3_file* f) {
  return of(f)->real();
}
bool dead(sqlite3_file* f) {
  return of(f)->owner && of(f)->owner->dead;
}
bool may_write(sqlite3_file* f) {
  return !of(f)->owner || of(f)->owner->may_write();
}

int close_file(sqlite3_file* f) {
  return real(f)->pMethods->xClose(real(f));
}
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return dead(f) ? SQLITE_IOERR_READ : real(f)->pMethods->xRead(real(f), to, n, at);
}
int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  return may_write(f) ? real(f)->pMethods->xWrite(real(f), from, n, at) : SQLITE_IOERR_WRITE;
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
  return may_write(f) ? real(f)->pMethods->xTruncate(real(f), size) : SQLITE_IOERR_TRUNCATE;
}
int sync_file(sqlite3_file* f, int) {  // what a killed program wrote stays written
  return may_write(f) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}
int lock_file(sqlite3_file* f, int level) {
  return dead(f) ? SQLITE_IOERR_LOCK : real(f)->pMethods->xLock(real(f), level);
}
int unlock_file(sqlite3_file* f, int level) {
  return real(f)->pMethods->xUnlock(real(f), level);
}
int check_reserved(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int file_control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int sector_size(sqlite3_file* f) {
  return real(f)->pMethods->xSectorSize(real(f));
}
int device(sqlite3_file* f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  if (dead(f)) return SQLITE_IOERR_SHMMAP;
  return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  if (dead(f) && (flags & SQLITE_SHM_LOCK)) return SQLITE_IOERR_SHMLOCK;
  return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) {
  real(f)->pMethods->xShmBarrier(real(f));
}
int shm_unmap(sqlite3_file* f, int remove) {
  return real(f)->pMethods->xShmUnmap(real(f), dead(f) ? 0 : remove);
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
  std::memset(static_cast<void*>(f), 0, sizeof(File));
  of(f)->owner = running;
  const int rc = below->xOpen(below, name, real(f), flags, out);
  if (real(f)->pMethods) f->pMethods = &kMethods;
  return rc;
}
int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
  if (running && !running->may_write()) return SQLITE_IOERR_DELETE;
  return below->xDelete(below, name, sync_folder);
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

int on_statement(unsigned, void* program, void*, void*) {
  const auto* p = static_cast<Program*>(program);
  if (p == running && p->between) p->between();
  return 0;
}
int on_open(sqlite3* db, char**, const sqlite3_api_routines*) {
  if (running) sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, running);
  return SQLITE_OK;
}

}  // namespace

Running::Running(Program* program) : before_(std::exchange(running, program)) {}
Running::~Running() {
  running = before_;
}

void install_vfs() {
  if (below) return;
  static sqlite3_vfs vfs = {};
  sqlite3_initialize();
  below = sqlite3_vfs_find(nullptr);
  vfs = *below;
  vfs.zName = "mycelial-sim";
  vfs.szOsFile = static_cast<int>(sizeof(File)) + below->szOsFile;
  vfs.pNext = nullptr;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xRandomness = random_bytes;
  vfs.xSleep = sleep;
  vfs.xCurrentTime = time_days;
  vfs.xCurrentTimeInt64 = time_ms;
  sqlite3_vfs_register(&vfs, 1);
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(on_open));
}

void seed_vfs(std::uint64_t seed) {
  noise = Random(seed);
  sqlite3_randomness(0, nullptr);
}

}  // namespace mycelial::sim
