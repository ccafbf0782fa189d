// SPDX-License-Identifier: Apache-2.0
#include "runtime/sqlite_copies.hpp"

#include <elf.h>
#include <link.h>

#include <cstring>
#include <string>
#include <vector>

namespace mycelial::runtime {
namespace {

/// Names of the loaded objects that define SQLite's functions.
using Copies = std::vector<std::string>;

/// Bounds of a dynamic symbol table without section headers: the hash tables know its length.
std::size_t symbol_count(const ElfW(Word) * hash, const std::uint32_t* gnu) {
  if (hash != nullptr) return hash[1];
  if (gnu == nullptr) return 0;
  const std::uint32_t buckets = gnu[0], first = gnu[1], bloom = gnu[2];
  const std::uint32_t* bucket = gnu + 4 + bloom * (sizeof(ElfW(Addr)) / sizeof(std::uint32_t));
  const std::uint32_t* chain = bucket + buckets;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < buckets; ++i) last = bucket[i] > last ? bucket[i] : last;
  if (last < first) return first;
  while ((chain[last - first] & 1) == 0) ++last;
  return last + 1;
}

/// The address of a function defined by the object itself; 0 when there is none.
ElfW(Addr) defined(const dl_phdr_info& object, const char* name) {
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    if (object.dlpi_phdr[i].p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + object.dlpi_phdr[i].p_vaddr);
    }
  }
  if (dynamic == nullptr) return 0;
  const char* strings = nullptr;
  const ElfW(Sym)* symbols = nullptr;
  const ElfW(Word)* hash = nullptr;
  const std::uint32_t* gnu = nullptr;
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    // The loader has relocated these pointers, except in the vDSO, which is skipped by its name.
    const auto at = dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(at);
    if (dynamic->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const ElfW(Sym)*>(at);
    if (dynamic->d_tag == DT_HASH) hash = reinterpret_cast<const ElfW(Word)*>(at);
    if (dynamic->d_tag == DT_GNU_HASH) gnu = reinterpret_cast<const std::uint32_t*>(at);
  }
  if (strings == nullptr || symbols == nullptr) return 0;
  const std::size_t count = symbol_count(hash, gnu);
  for (std::size_t i = 0; i < count; ++i) {
    if (symbols[i].st_shndx == SHN_UNDEF || symbols[i].st_value == 0) continue;
    if (std::strcmp(strings + symbols[i].st_name, name) == 0) {
      return object.dlpi_addr + symbols[i].st_value;
    }
  }
  return 0;
}

int visit(dl_phdr_info* object, std::size_t, void* context) {
  const char* const name = object->dlpi_name == nullptr ? "" : object->dlpi_name;
  if (std::strncmp(name, "linux-vdso", 10) == 0) return 0;
  if (defined(*object, "sqlite3_close_v2") == 0) return 0;
  static_cast<Copies*>(context)->emplace_back(*name == '\0' ? "the program itself" : name);
  return 0;
}

}  // namespace

Status check_sqlite_copies() {
  Copies copies;
  ::dl_iterate_phdr(visit, &copies);
  if (copies.size() < 2) return {};
  return Status(Errc::unsupported,
                "this process holds two copies of SQLite (" + copies[0] + " and " + copies[1] +
                    "); their locks would undo each other and lose rows. Make all of the process "
                    "use one shared libsqlite3, or run mycelial in a process of its own");
}

}  // namespace mycelial::runtime
