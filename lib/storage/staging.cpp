// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "storage/files.hpp"
#include "storage/sqlite.hpp"

namespace mycelial::storage {
namespace {

constexpr std::uint64_t kInMemory = 256 * 1024;         // larger units go to files
constexpr std::uint64_t kMemoryMax = 32 * 1024 * 1024;  // of all units in memory
constexpr std::uint64_t kSaveEvery = 256 * 1024;        // bytes between notes of progress
constexpr std::uint64_t kUnitMax = std::uint64_t{1} << 40;
constexpr std::size_t kUnitsMax = 65536;
// Beyond these only bytes next to what is there count.
constexpr std::size_t kRangesMax = 256 * 1024;  // of all units
constexpr std::size_t kRangesPerUnit = 32 * 1024;

std::vector<core::ByteRange> gaps(const std::vector<core::ByteRange>& have, std::uint64_t size) {
  std::vector<core::ByteRange> out;
  std::uint64_t at = 0;
  for (const auto& r : have) {
    if (r.begin > at) out.push_back({at, r.begin});
    at = std::max(at, r.end);
  }
  if (at < size) out.push_back({at, size});
  return out;
}

/// The first that touches `add` or lies behind it.
template <class Ranges>
auto find_range(Ranges& ranges, const core::ByteRange& add) {
  return std::lower_bound(ranges.begin(), ranges.end(), add,
                          [](const auto& r, const auto& a) { return r.end < a.begin; });
}

void add_range(std::vector<core::ByteRange>& ranges, core::ByteRange add) {
  auto it = find_range(ranges, add);
  while (it != ranges.end() && it->begin <= add.end) {
    add.begin = std::min(add.begin, it->begin);
    add.end = std::max(add.end, it->end);
    it = ranges.erase(it);
  }
  ranges.insert(it, add);
}

bool same(const core::UnitRef& a, const core::UnitRef& b) {
  return a.kind == b.kind && a.stream == b.stream && a.first == b.first && a.last == b.last &&
         a.size == b.size;
}

/// What is left for the application when peers send more than fits: 5 % of the drive.
constexpr std::uint64_t kReserveMax = std::uint64_t{1} << 30;

std::uint64_t room_beside(const std::string& folder) {
  std::error_code ec;
  const auto drive = std::filesystem::space(folder, ec);
  if (ec) return ~std::uint64_t{0};  // the write will tell
  const std::uint64_t reserve = std::min<std::uint64_t>(drive.capacity / 20, kReserveMax);
  return drive.available > reserve ? drive.available - reserve : 0;
}

/// Not kept open: strangers may begin more units than a process may have open files.
Status write_at(const std::string& path, std::uint64_t offset, ByteView bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return {Errc::io,
            fmt::format("cannot write {}: {}", path, std::generic_category().message(errno))};
  }
  Status status = guard([&] { write_all(fd, bytes, offset, path); });
  ::close(fd);
  return status;
}

}  // namespace

struct Staging::Unit {
  core::UnitRef ref;
  std::vector<core::ByteRange> have;
  Bytes memory;
  bool in_file = false;
  std::uint64_t unsaved = 0;
  bool checked = false;
  bool whole() const {
    return ref.size == 0 || (have.size() == 1 && have[0] == core::ByteRange{0, ref.size});
  }
};

// What has arrived of a unit in a file is noted in NAME.parts, so that a restart can go on.
Staging::Staging(const UnitFiles& files, Room room)
    : files_(files),
      room_(room ? std::move(room) : [this] { return room_beside(files_.folder()); }) {
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(files.folder(), ec)) {
    if (entry.path().extension() != ".parts") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ByteReader r(text);
    auto unit = std::make_unique<Unit>();
    unit->ref.id = Hash::from(r.bytes(16));
    unit->ref.kind = static_cast<core::UnitKind>(r.byte());
    unit->ref.stream = {core::Site::from(r.bytes(16)), static_cast<std::uint32_t>(r.varint()),
                        static_cast<std::uint32_t>(r.varint())};
    unit->ref.first = r.varint();
    unit->ref.last = r.varint();
    unit->ref.size = r.varint();
    while (r.ok() && !r.at_end()) {
      const auto begin = r.varint();
      unit->have.push_back({begin, r.varint()});
    }
    unit->in_file = true;
    if (!r.ok() || !std::filesystem::exists(files.path(unit->ref.id, ".part"), ec)) continue;
    ranges_ += unit->have.size();
    units_[unit->ref.id] = std::move(unit);
  }
}
Staging::~Staging() {
  for (auto& [id, unit] : units_) save_ranges(*unit);
}

void Staging::save_ranges(Unit& unit) {
  if (!unit.in_file || unit.unsaved == 0) return;
  Bytes out(unit.ref.id.view());
  out.push_back(static_cast<char>(unit.ref.kind));
  out.append(unit.ref.stream.site.view());
  for (const std::uint64_t v :
       {std::uint64_t{unit.ref.stream.scope}, std::uint64_t{unit.ref.stream.priority_class},
        unit.ref.first, unit.ref.last, unit.ref.size}) {
    put_varint(out, v);
  }
  for (const auto& r : unit.have) {
    put_varint(out, r.begin);
    put_varint(out, r.end);
  }
  const std::string path = files_.path(unit.ref.id, ".parts"), temporary = path + "~";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file.write(out.data(), static_cast<std::streamsize>(out.size()));
  }
  std::error_code ec;
  std::filesystem::rename(temporary, path, ec);
  unit.unsaved = 0;
}

Status Staging::add(const core::UnitRef& ref, std::uint64_t offset, ByteView bytes) {
  if (ref.size > kUnitMax || offset > ref.size || bytes.size() > ref.size - offset) {
    return {Errc::corrupt, "a fragment lies outside its unit"};
  }
  if (!units_.contains(ref.id)) {
    if (units_.size() >= kUnitsMax) return {Errc::busy, "too many units begun"};
    begin(ref);
  }
  Unit& unit = *units_.at(ref.id);
  if (!same(unit.ref, ref)) return {Errc::corrupt, "a unit changed its description"};
  if (unit.whole()) return {};
  const core::ByteRange range{offset, offset + bytes.size()};
  const auto near = find_range(unit.have, range);
  const bool gap = !unit.have.empty() && (near == unit.have.end() || near->begin > range.end);
  if (gap && (ranges_ >= kRangesMax || unit.have.size() >= kRangesPerUnit)) {
    return {Errc::busy, "too many gaps in units begun"};
  }
  if (unit.in_file) {
    if (room_() < bytes.size()) {
      return {Errc::busy, fmt::format("{}: the drive is nearly full, so that {} bytes that a peer "
                                      "sends must wait; make room",
                                      files_.folder(), ref.size)};
    }
    if (Status status = write_at(files_.path(ref.id, ".part"), offset, bytes); !status.ok()) {
      return status;
    }
    unit.unsaved += bytes.size();
  } else {
    std::copy(bytes.begin(), bytes.end(),
              unit.memory.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  ranges_ -= unit.have.size();
  add_range(unit.have, range);
  ranges_ += unit.have.size();
  if (unit.unsaved > kSaveEvery) save_ranges(unit);
  return {};
}

void Staging::begin(const core::UnitRef& ref) {
  auto unit = std::make_unique<Unit>();
  unit->ref = ref;
  unit->in_file = ref.size > kInMemory || bytes_ + ref.size > kMemoryMax;
  if (unit->in_file) {
    files_.ensure();
    std::error_code ec;  // of an earlier run, without a note of what is in it
    std::filesystem::remove(files_.path(ref.id, ".part"), ec);
  } else {
    unit->memory.resize(ref.size);
    bytes_ += ref.size;
  }
  units_[ref.id] = std::move(unit);
}

std::vector<core::ByteRange> Staging::missing(const core::UnitRef& unit) const {
  const auto it = units_.find(unit.id);
  return it == units_.end() ? gaps({}, unit.size) : gaps(it->second->have, it->second->ref.size);
}

std::vector<core::UnitRef> Staging::list() const {
  std::vector<core::UnitRef> out;
  for (const auto& [id, unit] : units_) out.push_back(unit->ref);
  return out;
}

std::vector<core::UnitRef> Staging::whole() const {
  std::vector<core::UnitRef> out;
  for (const auto& [id, unit] : units_) {
    if (unit->whole()) out.push_back(unit->ref);
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.stream, a.first, a.id) < std::tie(b.stream, b.first, b.id);
  });
  return out;
}

std::vector<core::UnitRef> Staging::unchecked() const {
  std::vector<core::UnitRef> out;
  for (const auto& [id, unit] : units_) {
    if (!unit->checked && unit->whole()) out.push_back(unit->ref);
  }
  return out;
}

void Staging::mark_checked(const Hash& id) {
  const auto it = units_.find(id);
  if (it != units_.end()) it->second->checked = true;
}

Staging::View Staging::view(const Hash& id) const {
  const auto it = units_.find(id);
  if (it == units_.end()) return {};
  if (!it->second->in_file) return {it->second->memory, nullptr};
  auto file = MappedFile::open(files_.path(id, ".part"));
  return {file ? file->view() : ByteView{}, file};
}

void Staging::drop(const Hash& id) {
  const auto it = units_.find(id);
  if (it == units_.end()) return;
  ranges_ -= it->second->have.size();
  if (it->second->in_file) {
    ::unlink(files_.path(id, ".part").c_str());
    ::unlink(files_.path(id, ".parts").c_str());
  } else {
    bytes_ -= it->second->memory.size();
  }
  units_.erase(it);
}

}  // namespace mycelial::storage
