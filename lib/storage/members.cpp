// SPDX-License-Identifier: Apache-2.0
// What is known of the members of the fleet, in the file: written along with other things, or by
// itself now and then.
#include <algorithm>

#include "storage/store_impl.hpp"

namespace mycelial::storage {
namespace {

constexpr std::uint64_t kAlongMs = 2'000;  // with another write
constexpr std::uint64_t kAloneMs = 60'000;

}  // namespace

core::MemberBook* StoreImpl::members() {
  book_.at(meta_.site(), options_.clock->wall_ms());
  return &book_;
}

void StoreImpl::load_members() {
  if (!has_collecting_) return;
  (void)members();
  Use s(db_, "SELECT site, beat, heard, forgotten, have FROM mycelial_member");
  while (s->step()) {
    core::Member m;
    m.beat = s->number(1);
    m.heard_ms = s->number(2);
    m.forgotten_ms = s->number(3);
    ByteReader in(s->blob(4));
    while (in.ok() && !in.at_end()) {
      const auto origin = in.varint();
      const auto seq = in.varint();
      if (in.ok() && origin > 0 && origin < meta_.origins()) {
        m.have[meta_.stream_of(static_cast<core::Origin>(origin))] = seq;
      }
    }
    book_.restore(core::Site::from(s->blob(0)), m);
  }
}

/// True if anything was written.
bool StoreImpl::save_members() {
  const auto changed = book_.changed();
  for (const auto& site : changed) {
    const auto it = book_.members().find(site);
    if (it == book_.members().end()) {
      db_.cached("DELETE FROM mycelial_member WHERE site = ?1").bind_blob(1, site.view()).run();
      continue;
    }
    const auto& m = it->second;
    Bytes have;
    for (const auto& [stream, seq] : m.have) {
      const auto origin = meta_.find_origin(stream);
      if (!origin) continue;  // we hold nothing of it
      put_varint(have, *origin);
      put_varint(have, seq);
    }
    db_.cached("INSERT OR REPLACE INTO mycelial_member VALUES(?1, ?2, ?3, ?4, ?5)")
        .bind_blob(1, site.view())
        .bind(2, m.beat)
        .bind(3, m.heard_ms)
        .bind(4, m.forgotten_ms)
        .bind_blob(5, have)
        .run();
  }
  return !changed.empty();
}

/// As a part of another write transaction.
bool StoreImpl::save_members_along() {
  if (!options_.exclusive || !has_collecting_ || !book_.has_changed()) return false;
  const auto now = options_.clock->monotonic_ms();
  if (now < members_saved_at_ + kAlongMs && members_saved_at_ != 0) return false;
  return save_members();
}

Status StoreImpl::save_members_if_due() {
  if (!has_collecting_ || !book_.has_changed()) return {};
  if (options_.clock->monotonic_ms() < members_saved_at_ + kAloneMs && members_saved_at_ != 0) {
    return {};
  }
  return save_members_now();
}

Status StoreImpl::save_members_now() {
  if (!has_collecting_ || !book_.has_changed()) return {};
  members_saved_at_ = 0;
  return write([] {});
}

Result<std::vector<MemberInfo>> StoreImpl::describe_members() {
  std::vector<MemberInfo> out;
  const Status status = read_only([&] {
    if (!has_collecting_) return;
    core::MemberBook& book = *members();
    book.learn(have());
    const auto patience = this->patience();
    for (const auto& [site, m] : book.members()) {
      MemberInfo info;
      info.site = site.hex();
      info.is_self = site == meta_.site();
      const auto now = book.now_ms();
      info.last_heard = info.is_self ? std::string() : iso_time(m.heard_ms);
      info.silent_s = info.is_self || now < m.heard_ms ? 0 : (now - m.heard_ms) / 1000;
      info.holds_back = book.holds_back(site, m, patience);
      info.forgotten = m.is_forgotten();
      for (const auto& [stream, tip] : have()) {
        if (info.is_self) break;
        const auto theirs = m.have.find(stream);
        const auto seq = theirs == m.have.end() ? 0 : std::min(theirs->second, tip.seq);
        info.lacks_sets += tip.seq - seq;
      }
      out.push_back(std::move(info));
    }
  });
  if (!status.ok()) return status;
  return out;
}

OwnSets StoreImpl::own_sets() {
  OwnSets out;
  core::MemberBook& book = *members();
  book.learn(have());
  for (const auto& [stream, tip] : have()) {
    if (stream.site != meta_.site()) continue;
    std::uint64_t most = 0, least = tip.seq;
    bool alone = true;
    for (const auto& [site, m] : book.members()) {
      if (site == meta_.site() || m.is_forgotten()) continue;
      const auto theirs = m.have.find(stream);
      const auto seq = theirs == m.have.end() ? 0 : std::min(theirs->second, tip.seq);
      most = std::max(most, seq);
      least = std::min(least, seq);
      alone = false;
    }
    out.sealed += tip.seq;
    out.elsewhere += most;
    out.everywhere += alone ? 0 : least;
  }
  return out;
}

Status StoreImpl::forget_member(const std::string& site) {
  if (Status status = read_only([] {}); !status.ok()) return status;
  core::MemberBook& book = *members();
  std::vector<core::Site> named;
  for (const auto& [id, member] : book.members()) {
    if (!site.empty() && id.hex().starts_with(site)) named.push_back(id);
  }
  if (named.empty()) return {Errc::not_found, "no member is called " + site};
  if (named.size() > 1) return {Errc::invalid_argument, site + " may mean several members"};
  if (!book.forget(named[0])) {
    return {Errc::invalid_argument, "this file does not wait for itself"};
  }
  members_saved_at_ = 0;
  return write([&] { (void)save_members(); });
}

}  // namespace mycelial::storage
