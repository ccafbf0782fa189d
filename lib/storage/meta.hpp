// SPDX-License-Identifier: Apache-2.0
// The small facts of the file: format, site, clock, and the dictionary of streams with how far each
// has been applied. Cached; reload() after another connection may have written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/row.hpp"
#include "core/types.hpp"
#include "storage/sqlite.hpp"

namespace mycelial::storage {

constexpr std::int64_t kFileFormat = 2;

class Meta {
 public:
  explicit Meta(Connection& db) : db_(db) {}

  /// Makes the mycelial_* tables if the file has none. Throws version for a newer format.
  static void create(Connection& db);
  static bool exists(Connection& db);
  /// Since format 2 the file knows of members, floors and graves.
  static bool can_collect(Connection& db);

  /// All or nothing: what it throws leaves everything as it was. True: other sets are held now.
  bool reload();
  /// A transaction begins; undo() goes back to here after it was rolled back.
  void begin();
  void undo();

  std::string get(std::string_view key);
  std::int64_t get_integer(std::string_view key);
  void set(std::string_view key, const core::Value& value);

  const core::Site& site() const { return site_; }
  /// The site whose name unsealed journal entries go by.
  const core::Site& label() const { return label_; }
  void set_site(const core::Site& site);
  void set_label(const core::Site& label);

  core::Stream own_stream() const { return {site_, 0, 0}; }
  core::Origin origin_of(const core::Stream& stream);  ///< Adds it to the dictionary if needed.
  std::optional<core::Origin> find_origin(const core::Stream& stream) const;
  const core::Stream& stream_of(core::Origin origin) const { return streams_.at(origin); }
  std::size_t origins() const { return streams_.size(); }
  const core::Ranks& ranks();

  const core::Have& have() const { return have_; }
  core::Covered covered() const { return covered_; }
  void advance(const core::Stream& stream, const core::Tip& tip);
  /// Deaths by sets up to here may have been forgotten: who lacks one of them needs a full cut.
  void raise_floor(core::Origin origin, std::uint64_t seq);
  std::vector<std::pair<core::Stream, std::uint64_t>> floors();

  core::Hlc clock = 0;  ///< Persisted by save_clock().
  void save_clock();

 private:
  Connection& db_;
  core::Site site_, label_;
  std::vector<core::Stream> streams_;  // by Origin
  std::map<core::Stream, core::Origin> origins_;
  core::Origin last_ = 0;               // that somebody asked for
  std::vector<std::uint64_t> covered_;  // by Origin
  core::Have have_;
  std::optional<core::Ranks> ranks_;

  struct Mark {
    core::Site site, label;
    core::Hlc clock = 0;
    std::size_t streams = 0;
    std::vector<std::pair<core::Stream, core::Tip>> tips;  // that advance() replaced, in order
  };
  Mark mark_;
};

}  // namespace mycelial::storage
