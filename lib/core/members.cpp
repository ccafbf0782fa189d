// SPDX-License-Identifier: Apache-2.0
#include "core/members.hpp"

#include <algorithm>

namespace mycelial::core {
namespace {

// How far the time of a sign of life may move before it is worth a write.
constexpr std::uint64_t kHeardGrainMs = 3'600'000;

}  // namespace

void MemberBook::at(const Site& own, std::uint64_t wall_ms) {
  own_ = own;
  now_ms_ = wall_ms;
}

void MemberBook::touch(const Site& site, bool news) {
  changed_.insert(site);
  if (news) ++version_;
}

Member* MemberBook::find_or_add(const Site& site, std::uint64_t heard_ms) {
  if (site.is_baseline()) return nullptr;
  const auto known = members_.find(site);
  if (known != members_.end()) return &known->second;
  if (members_.size() >= kMembersMax) {
    auto oldest = members_.end();
    for (auto it = members_.begin(); it != members_.end(); ++it) {
      if (it->first == own_) continue;
      if (oldest == members_.end() || it->second.heard_ms < oldest->second.heard_ms) oldest = it;
    }
    if (oldest == members_.end() || oldest->second.heard_ms >= heard_ms) return nullptr;
    seqs_ -= oldest->second.have.size();
    changed_.insert(oldest->first);
    saved_heard_.erase(oldest->first);
    members_.erase(oldest);
  }
  Member& fresh = members_[site];
  fresh.heard_ms = heard_ms;
  touch(site, true);
  return &fresh;
}

void MemberBook::raise(const Site& site, Member& member, const Stream& stream, std::uint64_t seq) {
  auto it = member.have.find(stream);
  if (it == member.have.end()) {
    if (seq == 0 || seqs_ >= kSeqsMax) return;
    it = member.have.emplace(stream, 0).first;
    ++seqs_;
  }
  if (it->second >= seq) return;
  it->second = seq;
  touch(site, true);
}

void MemberBook::hear(const Site& site, Member& member, std::uint64_t heard_ms) {
  const bool was_forgotten = member.is_forgotten();
  member.heard_ms = std::max(member.heard_ms, heard_ms);
  const auto saved = saved_heard_.find(site);
  const bool far = saved == saved_heard_.end() || heard_ms >= saved->second + kHeardGrainMs;
  if (far || was_forgotten) touch(site, false);
}

void MemberBook::seen(const Site& site) {
  if (site == own_) return;
  if (Member* const member = find_or_add(site, now_ms_)) hear(site, *member, now_ms_);
}

void MemberBook::holds(const Site& site, const Stream& stream, std::uint64_t seq) {
  if (site == own_) return;
  if (Member* const member = find_or_add(site, now_ms_)) raise(site, *member, stream, seq);
}

void MemberBook::holds(const Site& site, const Have& have) {
  for (const auto& [stream, tip] : have) holds(site, stream, tip.seq);
}

void MemberBook::told(const std::vector<std::pair<Stream, std::uint64_t>>& streams,
                      const std::vector<MemberNews>& news) {
  for (const auto& n : news) {
    if (n.site == own_) continue;
    const std::uint64_t age_ms = std::min(n.age_s, now_ms_ / 1000) * 1000;
    Member* const member = find_or_add(n.site, now_ms_ - age_ms);
    if (!member) continue;
    if (n.beat > member->beat) {
      member->beat = n.beat;
      hear(n.site, *member, now_ms_ - age_ms);
      touch(n.site, true);
    }
    auto lack = n.lacks.begin();
    for (std::size_t i = 0; i < streams.size(); ++i) {
      while (lack != n.lacks.end() && lack->first < i) ++lack;
      const bool lacks = lack != n.lacks.end() && lack->first == i;
      raise(n.site, *member, streams[i].first, lacks ? lack->second : streams[i].second);
    }
  }
}

void MemberBook::beat(std::uint64_t at_least, std::uint64_t every_ms) {
  Member* const own = find_or_add(own_, now_ms_);
  if (!own) return;
  const bool due = own->beat == 0 || now_ms_ >= own->heard_ms + every_ms || now_ms_ < own->heard_ms;
  if (!due) return;
  own->beat = std::max(own->beat + 1, at_least);
  own->heard_ms = now_ms_;
  touch(own_, true);
}

void MemberBook::learn(const Have& have) {
  for (const auto& [stream, tip] : have) {
    if (stream.site != own_ && !members_.contains(stream.site)) {
      (void)find_or_add(stream.site, now_ms_);
    }
  }
}

bool MemberBook::forget(const Site& site) {
  const auto it = members_.find(site);
  if (it == members_.end() || site == own_) return false;
  it->second.forgotten_ms = std::max({now_ms_, it->second.heard_ms, it->second.forgotten_ms});
  touch(site, false);
  return true;
}

void MemberBook::restore(const Site& site, const Member& saved) {
  const bool unsaved = changed_.contains(site);
  Member* const member = find_or_add(site, saved.heard_ms);
  if (!member) return;
  member->beat = std::max(member->beat, saved.beat);
  member->heard_ms = std::max(member->heard_ms, saved.heard_ms);
  member->forgotten_ms = std::max(member->forgotten_ms, saved.forgotten_ms);
  for (const auto& [stream, seq] : saved.have) raise(site, *member, stream, seq);
  saved_heard_[site] = saved.heard_ms;
  if (!unsaved) changed_.erase(site);
}

bool MemberBook::holds_back(const Site& site, const Member& m, const Patience& patience) const {
  if (site == own_ || m.is_forgotten()) return false;
  const std::uint64_t silent = now_ms_ > m.heard_ms ? now_ms_ - m.heard_ms : 0;
  if (silent >= patience.retention_ms) return false;
  if (silent < Patience::kLeastMs) return true;
  const bool is_below = std::ranges::any_of(patience.floor, [&](const auto& floor) {
    const auto held = m.have.find(floor.first);
    return floor.second > (held == m.have.end() ? 0 : held->second);
  });
  return !patience.crowded && !is_below;
}

Seqs MemberBook::floor(const Have& have, const Patience& patience) const {
  Seqs out;
  for (const auto& [stream, tip] : have) out.emplace_hint(out.end(), stream, tip.seq);
  for (const auto& [site, member] : members_) {
    if (!holds_back(site, member, patience)) continue;
    for (auto& [stream, seq] : out) {
      const auto theirs = member.have.find(stream);
      seq = theirs == member.have.end() ? 0 : std::min(seq, theirs->second);
    }
  }
  return out;
}

void MemberBook::saved() {
  for (const auto& site : changed_) {
    const auto it = members_.find(site);
    if (it != members_.end()) saved_heard_[site] = it->second.heard_ms;
  }
  changed_.clear();
}

}  // namespace mycelial::core
