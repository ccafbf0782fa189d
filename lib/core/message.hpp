// SPDX-License-Identifier: Apache-2.0
// What replicas say to each other on a link. lib/core/exchange.hpp decides when; lib/codec turns
// messages into bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/types.hpp"

namespace mycelial::core {

constexpr std::uint32_t kWireMajor = 1;

/// "This is all I hold": equal digests mean nothing to do.
struct DigestMessage {
  Hash have;
  ListSum list = {};  ///< Of what merging overruled: not a matter of the sets alone.
  friend bool operator==(const DigestMessage&, const DigestMessage&) = default;
};

/// What the sender knows of a member of the fleet: it holds the streams that the message lists as
/// far as it says there, but for those that it lacks something of.
struct MemberNews {
  Site site;
  std::uint64_t beat = 0;   ///< Of the member's signs of life, by its own count.
  std::uint64_t age_s = 0;  ///< Since the sender heard of that one.
  std::vector<std::pair<std::uint32_t, std::uint64_t>> lacks;  ///< Index of a stream, ascending;
                                                               ///< what it holds of that one.
  friend bool operator==(const MemberNews&, const MemberNews&) = default;
};

/// What the sender holds (all of it, or the streams that changed); also hello and acknowledgement.
struct HaveMessage {
  std::uint64_t number = 0;  ///< Grows per session; an older statement never overrides a newer one.
  std::vector<std::pair<Stream, Tip>> tips;
  Hash have;              ///< Digest of everything held.
  bool reply = false;     ///< Please say yours.
  bool last_part = true;  ///< False: more parts of the same statement follow.
  std::uint8_t push = 0;  ///< 0 says nothing, 1: stop pushing me these streams, 2: push.
  std::vector<std::pair<Stream, std::uint64_t>> streams = {};  ///< That `members` is about.
  std::vector<MemberNews> members = {};
  friend bool operator==(const HaveMessage&, const HaveMessage&) = default;
};

struct ByteRange {
  std::uint64_t begin = 0, end = 0;
  auto operator<=>(const ByteRange&) const = default;
};

/// "Send me these." `parts`: of units begun, the byte ranges still missing.
struct WantMessage {
  struct Need {
    Stream stream;
    std::uint64_t first = 0, last = 0;
    std::uint32_t attempt = 0;
    friend bool operator==(const Need&, const Need&) = default;
  };
  struct Part {
    Hash unit;
    std::vector<ByteRange> missing;
    friend bool operator==(const Part&, const Part&) = default;
  };
  std::uint64_t to = 0;  ///< Session asked.
  std::vector<Need> needs;
  std::vector<Part> parts;
  std::vector<std::pair<Stream, Tip>> tips;  ///< Everything the asker holds: a cut builds on it.
  bool graft = false;                        ///< Push new sets to me from now on.
  friend bool operator==(const WantMessage&, const WantMessage&) = default;
};

/// Bytes [offset, offset + bytes.size()) of a unit.
struct FragMessage {
  UnitRef unit;  ///< `order` is not transmitted.
  std::uint64_t offset = 0;
  Bytes bytes;
  bool more = false;  ///< The sender has more queued for this link.
};

/// "Stop sending me this unit": I have it, or get it from somebody else.
struct StopMessage {
  Hash unit;
  friend bool operator==(const StopMessage&, const StopMessage&) = default;
};

/// Asks whether chain hashes agree at points of a stream: finds where two copies of one file
/// parted.
struct ProbeMessage {
  Stream stream;
  std::vector<Tip> points;
  friend bool operator==(const ProbeMessage&, const ProbeMessage&) = default;
};

/// "I list this": the sums of the parts of a list of conflicts. Asks for what the other side lists
/// in those that differ.
struct CompareMessage {
  std::uint64_t to = 0;             ///< Session asked.
  ListSum list;                     ///< All of it.
  std::uint64_t since_ms = 0;       ///< Of the entries compared.
  std::vector<std::uint32_t> sums;  ///< As many as a power of two; an entry's hash tells its part.
  std::vector<WantMessage::Part> parts = {};  ///< Of an earlier answer.
  friend bool operator==(const CompareMessage&, const CompareMessage&) = default;
};

/// Last words before the sender closes the link: why.
struct ByeMessage {
  std::string reason;
  friend bool operator==(const ByeMessage&, const ByeMessage&) = default;
};

struct Message {
  Site site;
  std::uint64_t session = 0;  ///< Random per engine open; tells own echo and clones apart.
  std::variant<DigestMessage, HaveMessage, WantMessage, FragMessage, StopMessage, ProbeMessage,
               ByeMessage, CompareMessage>
      body;
};

}  // namespace mycelial::core
