// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/disk.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>

namespace mycelial::sim {

std::size_t MemoryFile::read(void* to, std::size_t bytes, std::uint64_t at) const {
  if (at >= data_.size()) return 0;
  const std::size_t n = std::min<std::uint64_t>(bytes, data_.size() - at);
  std::memcpy(to, data_.data() + at, n);
  return n;
}

/// Keeps what the sectors hold; beyond the end of the file that is nothing.
void MemoryFile::remember(std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t sector = begin / kSector; sector * kSector < end; ++sector) {
    Version& v = before_.emplace_back();
    v.sector = sector;
    const std::size_t had = read(v.bytes.data(), kSector, sector * kSector);
    std::memset(v.bytes.data() + had, 0, kSector - had);
  }
}

void MemoryFile::write(const void* from, std::size_t bytes, std::uint64_t at) {
  remember(at, at + bytes);
  if (at + bytes > data_.size()) {
    sizes_.push_back(data_.size());
    data_.resize(at + bytes);
  }
  std::memcpy(data_.data() + at, from, bytes);
}

void MemoryFile::resize(std::uint64_t bytes) {
  if (bytes == data_.size()) return;
  if (bytes < data_.size()) remember(bytes, data_.size());
  sizes_.push_back(data_.size());
  data_.resize(bytes);
}

void MemoryFile::sync() {
  before_.clear();
  sizes_.clear();
}

void MemoryFile::assign(std::string synced) {
  data_ = std::move(synced);
  sync();
}

void MemoryFile::lose_power(Random& random) {
  // Some losses take nearly everything, some hardly anything.
  const double survives = static_cast<double>(random.below(5)) / 4;
  std::map<std::uint64_t, std::vector<const Version*>> versions;
  for (const Version& v : before_) versions[v.sector].push_back(&v);
  const std::uint64_t now = data_.size();
  std::uint64_t size = now;
  if (!sizes_.empty() && !random.chance(survives)) size = random.pick(sizes_);
  data_.resize(std::max(size, now));
  for (const auto& [sector, all] : versions) {
    const std::uint64_t at = sector * kSector;
    if (at < now && random.chance(survives)) continue;
    const auto& old = random.pick(all)->bytes;
    if (at < data_.size()) {
      std::memcpy(data_.data() + at, old.data(),
                  std::min<std::uint64_t>(kSector, data_.size() - at));
    }
  }
  data_.resize(size);
  sync();
}

FilePtr Disk::find(const std::string& name) const {
  const auto found = now_.find(name);
  return found == now_.end() ? nullptr : found->second;
}

FilePtr Disk::create(const std::string& name) {
  unsafe_.insert(name);
  return now_[name] = std::make_shared<MemoryFile>();
}

void Disk::remove(const std::string& name) {
  unsafe_.insert(name);
  now_.erase(name);
}

void Disk::sync_names(const std::string& prefix) {
  auto it = unsafe_.lower_bound(prefix);
  while (it != unsafe_.end() && it->starts_with(prefix)) {
    if (const FilePtr file = find(*it)) {
      lasting_[*it] = file;
    } else {
      lasting_.erase(*it);
    }
    it = unsafe_.erase(it);
  }
}

void Disk::copy(const std::string& from, const std::string& to) {
  const FilePtr source = find(from);
  remove(to);
  if (source) create(to)->assign(source->data());
  sync_names(to);
}

void Disk::lose_power(const std::string& prefix, Random& random) {
  for (auto it = unsafe_.lower_bound(prefix); it != unsafe_.end() && it->starts_with(prefix);
       ++it) {
    if (random.chance(0.5)) continue;
    const auto before = lasting_.find(*it);
    now_.erase(*it);
    if (before != lasting_.end()) now_.insert(*before);
  }
  for (auto it = now_.lower_bound(prefix); it != now_.end() && it->first.starts_with(prefix); ++it)
    it->second->lose_power(random);
  sync_names(prefix);
}

void Disk::clear(const std::string& prefix) {
  const auto mine = [&](const auto& entry) { return entry.first.starts_with(prefix); };
  std::erase_if(now_, mine);
  std::erase_if(lasting_, mine);
  std::erase_if(unsafe_, [&](const auto& name) { return name.starts_with(prefix); });
}

void Disk::save(const std::string& prefix) const {
  for (const auto& [name, file] : now_) {
    if (!name.starts_with(prefix)) continue;
    std::ofstream(name, std::ios::binary) << file->data();
  }
}

Disk& disk() {
  static Disk all;
  return all;
}

}  // namespace mycelial::sim
