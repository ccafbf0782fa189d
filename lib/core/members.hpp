// SPDX-License-Identifier: Apache-2.0
// What a replica knows of the members of its fleet: what each of them holds, and when it last gave
// a sign of life. From that follows which deaths and sets nobody needs any more. It is only about
// sparing members a full cut: whatever it says, nothing is lost and nothing comes back.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/message.hpp"
#include "core/types.hpp"

namespace mycelial::core {

using Seqs = std::map<Stream, std::uint64_t>;

struct Member {
  std::uint64_t beat = 0;          ///< Of its signs of life, by its own count; 0: none came yet.
  std::uint64_t heard_ms = 0;      ///< When the latest one was heard of: wall clock here.
  std::uint64_t forgotten_ms = 0;  ///< Up to here nobody waits for it.
  Seqs have;

  bool is_forgotten() const { return forgotten_ms != 0 && heard_ms <= forgotten_ms; }
};

/// How long collecting waits for a member that is silent.
struct Patience {
  Patience(std::uint64_t retention, bool is_crowded = false, Seqs forgotten = {})
      : retention_ms(retention), crowded(is_crowded), floor(std::move(forgotten)) {}

  /// Whoever is silent for less is waited for in any case.
  static constexpr std::uint64_t kLeastMs = 3'600'000;
  std::uint64_t retention_ms;  ///< No longer than this.
  bool crowded;                ///< More deaths are kept than a full cut lists rows.
  Seqs
      floor;  ///< Deaths up to here may be forgotten already: who lacks one gets a full cut anyway.
};

class MemberBook {
 public:
  static constexpr std::size_t kMembersMax = 1024;  ///< Who is silent longest makes room.
  static constexpr std::size_t kSeqsMax = std::size_t{1} << 18;  ///< Of all members together.

  /// Before anything else: who we are and what time it is. The wall clock may jump.
  void at(const Site& own, std::uint64_t wall_ms);

  /// The member is there.
  void seen(const Site& site);
  /// It said itself that it holds this.
  void holds(const Site& site, const Stream& stream, std::uint64_t seq);
  void holds(const Site& site, const Have& have);
  /// Somebody says this of members. Each beat counts once, so that what a silent one said does not
  /// keep it alive while it is passed on.
  void told(const std::vector<std::pair<Stream, std::uint64_t>>& streams,
            const std::vector<MemberNews>& news);
  /// A sign of life of our own, for others: at most one in so many ms.
  void beat(std::uint64_t at_least, std::uint64_t every_ms);
  /// Sites that are known by their sets only are members, too.
  void learn(const Have& have);
  /// Nobody waits for it, until it gives another sign. False: not known.
  bool forget(const Site& site);
  /// From the file: what is later counts.
  void restore(const Site& site, const Member& member);

  /// Whether collecting waits for it.
  bool holds_back(const Site& site, const Member& member, const Patience& patience) const;
  /// What every member that we wait for holds, of what we hold.
  Seqs floor(const Have& have, const Patience& patience) const;

  const std::map<Site, Member>& members() const { return members_; }
  const Site& own() const { return own_; }
  std::uint64_t now_ms() const { return now_ms_; }
  /// Grows with everything that is worth telling others.
  std::uint64_t version() const { return version_; }
  /// Members that changed since they were saved, in the order of their ids.
  const std::set<Site>& changed() const { return changed_; }
  bool has_changed() const { return !changed_.empty(); }
  void saved();

 private:
  Member* find_or_add(const Site& site, std::uint64_t heard_ms);
  void touch(const Site& site, bool news);
  void raise(const Site& site, Member& member, const Stream& stream, std::uint64_t seq);
  void hear(const Site& site, Member& member, std::uint64_t heard_ms);

  Site own_;
  std::uint64_t now_ms_ = 0;
  std::map<Site, Member> members_;
  std::map<Site, std::uint64_t> saved_heard_;
  std::set<Site> changed_;
  std::size_t seqs_ = 0;
  std::uint64_t version_ = 1;
};

}  // namespace mycelial::core
