// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/scarce_memory.hpp"

#include <sqlite3.h>

#include <cstdlib>
#include <new>

namespace {

std::int64_t requests_left = -1;  // until one is refused; below 0: none will be
bool refused = false;
sqlite3_mem_methods plain;

bool refuse() {
  if (requests_left < 0 || requests_left-- > 0) return false;
  refused = true;
  return true;
}

void* allocate(int bytes) {
  return refuse() ? nullptr : plain.xMalloc(bytes);
}
void* reallocate(void* p, int bytes) {
  return refuse() ? nullptr : plain.xRealloc(p, bytes);
}

/// Before SQLite is used.
int install() {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
  sqlite3_mem_methods scarce = plain;
  scarce.xMalloc = allocate;
  scarce.xRealloc = reallocate;
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &scarce);
}
const int installed = install();

}  // namespace

void* operator new(std::size_t bytes, const std::nothrow_t& /*none*/) noexcept {
  return refuse() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new(std::size_t bytes) {
  void* const p = operator new(bytes, std::nothrow);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete(void* p, const std::nothrow_t& /*none*/) noexcept {
  std::free(p);
}

namespace mycelial::test {

void refuse_memory_after(std::int64_t requests) {
  if (installed != SQLITE_OK) std::abort();
  requests_left = requests;
  refused = false;
}

bool memory_suffices() {
  requests_left = -1;
  return !refused;
}

}  // namespace mycelial::test
