// SPDX-License-Identifier: Apache-2.0
#include "storage/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "storage/sqlite.hpp"

namespace mycelial::storage {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

[[noreturn]] void io_error(const std::string& path, const char* doing) {
  throw StorageError(Errc::io, fmt::format("cannot {} {}: {}", doing, path,
                                           std::generic_category().message(errno)));
}

}  // namespace

void write_all(int fd, ByteView bytes, std::uint64_t at, const std::string& path) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) io_error(path, "write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
}

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat st {};
  std::shared_ptr<MappedFile> out(new MappedFile);
  if (::fstat(fd, &st) == 0 && st.st_size > 0) {
    void* data =
        ::mmap(nullptr, static_cast<std::size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED) {
      out->data_ = data;
      out->size_ = static_cast<std::size_t>(st.st_size);
    }
  }
  ::close(fd);
  return out;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

Witness::Witness(const std::string& db_path) : path_(db_path + "-mycelial"), db_path_(db_path) {}

Witness::~Witness() {
  if (fd_ >= 0) ::close(fd_);
}

bool Witness::acquire(std::int64_t* holder) {
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) io_error(path_, "open");
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
    const std::string text = read_file(path_);
    const auto rest = text.find('\n');
    std::string out = fmt::format("{:<12}\n", ::getpid());
    if (rest != std::string::npos) out += text.substr(rest + 1);
    write_all(fd_, out, 0, path_);
    return true;
  }
  ::close(fd_);
  fd_ = -1;
  if (holder) *holder = std::strtoll(read_file(path_).c_str(), nullptr, 10);
  return false;
}

std::string Witness::place() const {
  struct stat st {};
  ::stat(db_path_.c_str(), &st);
  char resolved[PATH_MAX];
  const char* real = ::realpath(db_path_.c_str(), resolved);
  std::string machine = read_file("/etc/machine-id");
  while (!machine.empty() && machine.back() == '\n') machine.pop_back();
  return fmt::format("{} {} {}", machine, st.st_ino, real ? real : db_path_);
}

// Line 1: process id of the holder. Line 2: place. Line 3: nonces in hexadecimal.
bool Witness::knows(ByteView nonce) const {
  std::ifstream in(path_);
  std::string pid, where, nonces;
  std::getline(in, pid);
  std::getline(in, where);
  std::getline(in, nonces);
  return where == place() && !nonce.empty() && nonces.find(to_hex(nonce)) != std::string::npos;
}

void Witness::note(ByteView current, ByteView next) {
  const std::string text = read_file(path_);
  const auto end = text.find('\n');
  std::string out = end == std::string::npos ? fmt::format("{:<12}\n", 0) : text.substr(0, end + 1);
  out += place() + "\n" + to_hex(current) + " " + to_hex(next) + "\n";
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) io_error(path_, "open");
  write_all(fd, out, 0, path_);
  if (::ftruncate(fd, static_cast<off_t>(out.size())) != 0) {
    // A longer old tail after the third line is never read.
  }
  ::close(fd);
}

/// Another process may have noted its own next nonce by now; then there is nothing to forget.
void Witness::forget_nonce(ByteView current, ByteView next) {
  const std::string text = read_file(path_);
  const auto at = text.find("\n" + to_hex(current) + " " + to_hex(next) + "\n");
  if (current.empty() || at == std::string::npos) return;
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;  // gone: nothing is known
  const std::string blank(to_hex(current).size(), '-');
  const auto written = ::pwrite(fd, blank.data(), blank.size(), static_cast<off_t>(at) + 1);
  ::close(fd);
  if (written != static_cast<ssize_t>(blank.size())) io_error(path_, "write");
}

void Witness::forget() {
  ::unlink(path_.c_str());
}

std::string UnitFiles::path(const Hash& unit, const char* suffix) const {
  return folder_ + "/" + unit.hex() + suffix;
}

void UnitFiles::ensure() const {
  std::error_code ec;
  std::filesystem::create_directory(folder_, ec);
}

void UnitFiles::save(const Hash& unit, ByteView bytes, bool sync) const {
  ScratchFile file(*this, unit.hex() + ".new");
  file.append(bytes);
  file.keep(unit, sync);
}

std::shared_ptr<MappedFile> UnitFiles::map(const Hash& unit) const {
  return MappedFile::open(path(unit));
}

void UnitFiles::remove(const Hash& unit) const {
  ::unlink(path(unit).c_str());
}

void UnitFiles::remove_all() const {
  std::error_code ec;
  std::filesystem::remove_all(folder_, ec);
}

ScratchFile::ScratchFile(const UnitFiles& files, const std::string& name)
    : files_(files), path_(files.folder() + "/" + name) {
  files.ensure();
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) io_error(path_, "create");
}

ScratchFile::~ScratchFile() {
  ::close(fd_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

void ScratchFile::append(ByteView bytes) {
  write_all(fd_, bytes, size_, path_);
  size_ += bytes.size();
}

std::shared_ptr<MappedFile> ScratchFile::map() const {
  auto out = MappedFile::open(path_);
  if (!out || out->view().size() != size_) io_error(path_, "read");
  return out;
}

void ScratchFile::keep(const Hash& unit, bool sync) {
  if (sync && ::fdatasync(fd_) != 0) io_error(path_, "sync");
  const std::string name = files_.path(unit);
  if (::rename(path_.c_str(), name.c_str()) != 0) io_error(name, "rename to");
  path_.clear();
}

}  // namespace mycelial::storage
