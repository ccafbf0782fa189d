// SPDX-License-Identifier: Apache-2.0
#include "macro/node.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "runtime/runtime.hpp"

namespace mycelial::bench {
namespace {

void must(const Status& status, const char* doing) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", doing, status.to_string().c_str());
  std::exit(1);
}

}  // namespace

Node::Node(const std::string& path, Shape shape, bool keep_open) {
  remove_database(path);
  client_ = std::make_unique<Database>(path);
  client_->exec(create_sql(shape));
  storage::StoreOptions options;
  options.clock = &runtime::system_clock();
  options.entropy = &runtime::system_entropy();
  auto opened = storage::Store::open(path, options);
  must(opened.status(), "open");
  store_ = std::move(*opened);
  must(store_->track("t"), "track");
  if (shape.policies) {
    must(store_->set_policy("t", "latitude", "counter"), "policy");
    must(store_->set_policy("t", "longitude", "max"), "policy");
  }
  if (!keep_open) store_.reset();
}
Node::~Node() = default;

void Node::seal() {
  must(store_->seal().status(), "seal");
}

std::uint64_t Node::sealed() const {
  const core::Stream own{store_->site(), 0, 0};
  const auto it = store_->have().find(own);
  return it == store_->have().end() ? 0 : it->second.seq;
}

std::vector<Parcel> Node::sets(std::uint64_t first) {
  std::vector<Parcel> out;
  const core::Stream own{store_->site(), 0, 0};
  for (auto next = first; next <= sealed();) {
    const auto units = store_->tail(own, next, sealed());
    if (!units) {
      std::fprintf(stderr, "set %llu has left the tail\n", static_cast<unsigned long long>(next));
      std::exit(1);
    }
    for (const auto& unit : *units) {
      auto bytes = store_->read(unit, 0, unit.size);
      must(bytes.status(), "read");
      out.push_back({unit, std::move(*bytes)});
      next = unit.last + 1;
    }
  }
  return out;
}

Parcel Node::cut() {
  const auto unit = store_->cut({}, {});
  must(unit.status(), "cut");
  auto bytes = store_->read(*unit, 0, unit->size);
  must(bytes.status(), "read");
  return {*unit, std::move(*bytes)};
}

void Node::stage(const std::vector<Parcel>& parcels) {
  for (const auto& p : parcels) must(store_->stage(p.unit, 0, p.bytes), "stage");
}

void Node::apply() {
  const auto applied = store_->apply_staged();
  must(applied.status(), "apply");
  for (const auto& [unit, why] : applied->rejected) must(why, "apply");
  if (applied->more) apply();
}

std::uint64_t bytes_of(const std::vector<Parcel>& parcels) {
  std::uint64_t out = 0;
  for (const auto& p : parcels) out += p.bytes.size();
  return out;
}

void remove_database(const std::string& path) {
  const std::filesystem::path file(path);
  std::error_code ignored;
  std::vector<std::filesystem::path> beside;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path(), ignored)) {
    if (entry.path().filename().string().starts_with(file.filename().string())) {
      beside.push_back(entry.path());
    }
  }
  for (const auto& p : beside) std::filesystem::remove_all(p, ignored);
}

std::uint64_t file_bytes(const std::string& path) {
  return std::filesystem::file_size(path);
}

std::uint64_t beside_bytes(const std::string& path) {
  std::uint64_t out = 0;
  std::error_code none;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(path + "-mycelial-units", none)) {
    if (entry.is_regular_file()) out += entry.file_size();
  }
  return out;
}

}  // namespace mycelial::bench
