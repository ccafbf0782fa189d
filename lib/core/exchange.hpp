// SPDX-License-Identifier: Apache-2.0
// The session protocol: what one replica says on all of its links, when, and why. Sans-IO: time
// comes in as an argument, messages go out through Port, change sets live behind Depot. It is
// deterministic, total (every input is legal at any time), and the same code runs in the simulator.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/members.hpp"
#include "core/message.hpp"
#include "core/types.hpp"
#include "mycelial/status.hpp"
#include "mycelial/transport.hpp"

namespace mycelial::core {

using LinkNumber = std::uint64_t;
using TimeMs = std::uint64_t;  ///< Monotonic milliseconds.

/// Where change sets live (implemented by lib/storage; by a map in tests).
class Depot {
 public:
  virtual ~Depot() = default;
  virtual Site site() const = 0;
  /// What this replica has applied. The reference is valid until the next non-const call.
  virtual const Have& have() const = 0;
  /// Hash of the set `seq` of a stream if still known (the tail keeps them).
  virtual std::optional<Hash> hash_at(const Stream& stream, std::uint64_t seq) const = 0;
  /// The units that hold first..last of a stream in the kept tail, ordered by `order`; nothing when
  /// any of them has left the tail (then only a cut can help).
  virtual std::optional<std::vector<UnitRef>> tail(const Stream& stream, std::uint64_t first,
                                                   std::uint64_t last) const = 0;
  /// Everything that a peer with these tips lacks, as one unit on disk. The same peer asking again
  /// with a part begun gets the same unit (`resume`: ids of units that it has begun).
  virtual Result<UnitRef> cut(const std::vector<std::pair<Stream, Tip>>& tips,
                              const std::vector<Hash>& resume) = 0;
  /// What is listed as overruled: it depends on the order in which sets came, so replicas that
  /// hold the same sets tell each other.
  virtual ListSum list() = 0;
  /// The sums of the parts of that list, of entries not older than this: a power of two of them, at
  /// most `most`, and not many more than there are entries. Empty: it cannot be read now.
  virtual std::vector<std::uint32_t> list_parts(std::size_t most, std::uint64_t since_ms) = 0;
  /// What is listed in those parts of which the sums are others, as a unit.
  virtual Result<UnitRef> list_unit(std::span<const std::uint32_t> sums,
                                    std::uint64_t since_ms) = 0;
  /// Bytes [offset, offset + size) of a unit that these functions gave; fewer at its end.
  virtual Result<Bytes> read(const UnitRef& unit, std::uint64_t offset, std::size_t size) const = 0;

  /// Keeps a fragment of a unit (on disk if large). Duplicates and overlaps are fine. Errors:
  /// corrupt (another fragment described the unit otherwise, or no unit can be like this), busy (no
  /// room), io.
  virtual Status stage(const UnitRef& unit, std::uint64_t offset, ByteView bytes) = 0;
  /// Missing ranges of a unit begun; the whole unit when nothing of it has been staged.
  virtual std::vector<ByteRange> missing(const UnitRef& unit) const = 0;
  virtual std::vector<UnitRef> staged() const = 0;
  virtual void drop_staged(const Hash& unit) = 0;
  /// Applies whole staged units that have become applicable (in any order that causality allows),
  /// no more at a time than is good for others; seals local writes before. A unit that is corrupt,
  /// or another one than its fragments said, is dropped and reported in `rejected` with its reason.
  struct Applied {
    std::vector<UnitRef> units;  ///< Those of this site that it sealed, too.
    std::vector<UnitRef> known;  ///< There was nothing new in them; they are dropped.
    bool more = false;           ///< Others may be applicable: call again.
    std::vector<std::pair<UnitRef, Status>> rejected;
  };
  virtual Result<Applied> apply_staged() = 0;
  /// What is known of the members of the fleet; it knows what time it is. The session adds what it
  /// hears and passes it on. Null: nobody keeps it.
  virtual MemberBook* members() { return nullptr; }
  /// This site's own chain was continued by another copy of the file: take a new site id.
  virtual void become_new_site() = 0;
};

/// The way out.
class Port {
 public:
  virtual ~Port() = default;
  virtual SendOutcome send(LinkNumber link, const Message& message) = 0;
  virtual void close(LinkNumber link, const std::string& reason) = 0;
  /// Randomness for jitter; deterministic in the simulator.
  virtual std::uint64_t random() = 0;
};

/// What the replica knows about the other end of a link.
struct PeerStatus {
  LinkNumber link = 0;
  Site site;
  std::uint64_t session = 0;
  bool heard = false;                ///< Anything at all in this session.
  bool in_sync = false;              ///< Last statement said exactly what we hold.
  std::uint64_t they_lack_sets = 0;  ///< Sets that we hold and the peer has not acknowledged.
  std::uint64_t we_lack_sets = 0;
};

class Exchange {
 public:
  Exchange(Depot& depot, Port& port, std::uint64_t session);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void link_up(LinkNumber link, const LinkCaps& caps, TimeMs now);
  void link_down(LinkNumber link, TimeMs now);
  void receive(LinkNumber link, const Message& message, TimeMs now);
  void writable(LinkNumber link, TimeMs now);
  /// New sets of this site are in the depot.
  void sealed(std::span<const UnitRef> units, TimeMs now);
  /// What could not be applied (the database was busy, say) may be applicable now.
  void retry(TimeMs now);
  /// Does what time demands; call at next_tick() or earlier (spurious calls are harmless).
  void tick(TimeMs now);
  TimeMs next_tick() const;

  std::vector<PeerStatus> peers() const;
  /// True when every link's peer said that it holds all that we hold, and we hold all it holds.
  bool in_sync(LinkNumber link) const;
  bool has_links() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Digest of what is held: equal on replicas with equal have.
Hash have_digest(const Have& have);

}  // namespace mycelial::core
