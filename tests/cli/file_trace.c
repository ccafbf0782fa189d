/* SPDX-License-Identifier: Apache-2.0
 * Preloaded into processes (LD_PRELOAD): what they do to files below $FILE_TRACE_FOLDER is appended
 * to $FILE_TRACE, each operation once it is done. A record: a letter, the sizes of path and data,
 * the offset, then both. w: write, t: truncate to offset, s: sync, u: unlink, r: rename (data: to).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
static char* names[FILES];

static void* next(const char* name) {
  return dlsym(RTLD_NEXT, name);
}

static int is_traced(const char* path) {
  const char* folder = getenv("FILE_TRACE_FOLDER");
  return folder != NULL && strncmp(path, folder, strlen(folder)) == 0 &&
         strstr(path, "-shm") == NULL;
}

static const char* name_of(int fd) {
  return fd >= 0 && fd < FILES ? names[fd] : NULL;
}

static void record(char what, const char* path, uint64_t offset, const void* data, uint32_t size) {
  static int (*real_open)(const char*, int, ...);
  static int trace = -1;
  const int error = errno;
  struct {
    char what;
    uint16_t path;
    uint32_t size;
    uint64_t offset;
  } __attribute__((packed)) head = {what, (uint16_t)strlen(path), size, offset};
  struct iovec parts[3] = {{&head, sizeof head}, {(void*)path, head.path}, {(void*)data, size}};
  if (real_open == NULL) *(void**)&real_open = next("open");
  if (trace < 0) trace = real_open(getenv("FILE_TRACE"), O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (writev(trace, parts, 3) != (ssize_t)(sizeof head + head.path + size)) abort();
  errno = error;
}

static int opened(int fd, const char* path) {
  char full[PATH_MAX];
  if (fd < 0 || fd >= FILES || realpath(path, full) == NULL) return fd;
  free(names[fd]);
  names[fd] = is_traced(full) ? strdup(full) : NULL;
  return fd;
}

#define OPEN(function)                                                                     \
  int function(const char* path, int flags, ...) {                                         \
    static int (*real)(const char*, int, ...);                                             \
    va_list more;                                                                          \
    mode_t mode = 0;                                                                       \
    int fd;                                                                                \
    if (real == NULL) *(void**)&real = next(#function);                                    \
    va_start(more, flags);                                                                 \
    if ((flags & O_CREAT) != 0) mode = va_arg(more, mode_t);                               \
    va_end(more);                                                                          \
    fd = opened(real(path, flags, mode), path);                                            \
    if ((flags & (O_CREAT | O_TRUNC)) != 0 && name_of(fd) != NULL)                         \
      record('w', name_of(fd), 0, "", 0);                                                  \
    if ((flags & O_TRUNC) != 0 && name_of(fd) != NULL) record('t', name_of(fd), 0, "", 0); \
    return fd;                                                                             \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  static int (*real)(int);
  if (real == NULL) *(void**)&real = next("close");
  if (name_of(fd) != NULL) {
    free(names[fd]);
    names[fd] = NULL;
  }
  return real(fd);
}

#define PWRITE(function)                                                  \
  ssize_t function(int fd, const void* data, size_t size, off_t offset) { \
    static ssize_t (*real)(int, const void*, size_t, off_t);              \
    ssize_t done;                                                         \
    if (real == NULL) *(void**)&real = next(#function);                   \
    done = real(fd, data, size, offset);                                  \
    if (done > 0 && name_of(fd) != NULL)                                  \
      record('w', name_of(fd), (uint64_t)offset, data, (uint32_t)done);   \
    return done;                                                          \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void* data, size_t size) {
  static ssize_t (*real)(int, const void*, size_t);
  off_t at;
  ssize_t done;
  if (real == NULL) *(void**)&real = next("write");
  at = name_of(fd) != NULL ? lseek(fd, 0, SEEK_CUR) : 0;
  done = real(fd, data, size);
  if (done > 0 && name_of(fd) != NULL) record('w', name_of(fd), (uint64_t)at, data, (uint32_t)done);
  return done;
}

#define TRUNCATE(function)                                                                   \
  int function(int fd, off_t size) {                                                         \
    static int (*real)(int, off_t);                                                          \
    int result;                                                                              \
    if (real == NULL) *(void**)&real = next(#function);                                      \
    result = real(fd, size);                                                                 \
    if (result == 0 && name_of(fd) != NULL) record('t', name_of(fd), (uint64_t)size, "", 0); \
    return result;                                                                           \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define SYNC(function)                                                          \
  int function(int fd) {                                                        \
    static int (*real)(int);                                                    \
    int result;                                                                 \
    if (real == NULL) *(void**)&real = next(#function);                         \
    result = real(fd);                                                          \
    if (result == 0 && name_of(fd) != NULL) record('s', name_of(fd), 0, "", 0); \
    return result;                                                              \
  }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char* path) {
  static int (*real)(const char*);
  char full[PATH_MAX];
  const int known = realpath(path, full) != NULL && is_traced(full);
  int result;
  if (real == NULL) *(void**)&real = next("unlink");
  result = real(path);
  if (result == 0 && known) record('u', full, 0, "", 0);
  return result;
}

int rename(const char* from, const char* to) {
  static int (*real)(const char*, const char*);
  char old[PATH_MAX], now[PATH_MAX];
  const int known = realpath(from, old) != NULL && is_traced(old);
  int result;
  if (real == NULL) *(void**)&real = next("rename");
  result = real(from, to);
  if (result == 0 && known && realpath(to, now) != NULL)
    record('r', old, 0, now, (uint32_t)strlen(now));
  return result;
}
