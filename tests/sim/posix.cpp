// SPDX-License-Identifier: Apache-2.0
// The store's own files (witness, large units) are on the real disk; the linker leads its calls
// here (--wrap), so that a killed program, a full and a broken drive mean the same there.
#include <sys/types.h>

#include <cerrno>

#include "tests/sim/vfs.hpp"

using mycelial::sim::Drive;
using mycelial::sim::Program;
using mycelial::sim::running_program;

namespace {

/// errno, or 0 if the program that runs may go on.
int refusal(bool grows) {
  Program* const program = running_program();
  if (program == nullptr) return 0;
  if (!program->may_write()) return EIO;
  if (program->drive == nullptr) return 0;
  if (grows && program->drive->strikes_now(Drive::Trouble::full)) return ENOSPC;
  return program->drive->strikes_now(Drive::Trouble::write) ? EIO : 0;
}

}  // namespace

extern "C" {

ssize_t __real_pwrite(int fd, const void* from, size_t bytes, off_t at);
int __real_fdatasync(int fd);
int __real_rename(const char* from, const char* to);
int __real_unlink(const char* name);

ssize_t __wrap_pwrite(int fd, const void* from, size_t bytes, off_t at) {
  errno = refusal(true);
  return errno ? -1 : __real_pwrite(fd, from, bytes, at);
}
/// What a file in memory is synced to is the machine's business; a loss of power has its own way.
int __wrap_fdatasync(int fd) {
  Program* const program = running_program();
  if (program == nullptr) return __real_fdatasync(fd);
  const bool fails = !program->may_write() ||
                     (program->drive && program->drive->strikes_now(Drive::Trouble::sync));
  errno = fails ? EIO : 0;
  return fails ? -1 : 0;
}
int __wrap_rename(const char* from, const char* to) {
  errno = refusal(false);
  return errno ? -1 : __real_rename(from, to);
}
int __wrap_unlink(const char* name) {
  Program* const program = running_program();
  if (program && !program->may_write()) {
    errno = EIO;
    return -1;
  }
  return __real_unlink(name);
}
}
