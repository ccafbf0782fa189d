// SPDX-License-Identifier: Apache-2.0
// What the parts of the session share. exchange.cpp: the face and links; speech.cpp: what is said,
// and when the link takes it; statements.cpp: who holds what; requests.cpp: who is asked for what;
// transfer.cpp: units on their way; lists.cpp: lists of conflicts; gossip.cpp: what members hold;
// clockwork.cpp: what time demands.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/exchange.hpp"
#include "core/session/sources.hpp"

namespace mycelial::core {

constexpr TimeMs kNever = ~TimeMs{0};
constexpr TimeMs kUnitPatience = 600'000;  // before a unit begun is given up

/// One session heard on a link: what it told us. Volatile.
struct Peer {
  Site site;
  std::uint64_t session = 0;
  std::map<Stream, std::pair<std::uint64_t, Tip>> tips;  // number of the statement, tip
  Hash have;                                             // digest of its latest statement
  std::uint64_t statement = 0;                           // number of that
  bool heard_have = false;
  TimeMs heard_at = 0, asked_at = 0;
  bool relay = false;         // wants everybody's new sets as they come, not only our own
  std::set<Stream> pruned;    // but not of these streams
  bool feeds_us = false;      // we asked it to push everybody's sets to us
  bool fresh = true;          // has not been asked yet: a first request is for backlog
  TimeMs want_at = 0;         // not asked again before
  Hash cut;                   // made for it...
  std::uint64_t cut_for = 0;  // ...when this was the first set that it asked for...
  Hash cut_at;                // ...and this the digest of what we hold
  std::set<Stream> dirty;     // streams to tell it about
  TimeMs tell_at = kNever;
  TimeMs told_at = 0;
  bool ack = false;               // some of these it sent us
  ListSum ours, theirs;           // what we and it listed when it said so last
  std::uint32_t comparisons = 0;  // that we have asked for since then
  TimeMs compare_at = kNever;
  UnitRef list;  // that it was sent last
};

struct Job {  // bytes of a unit to send
  UnitRef unit;
  std::deque<ByteRange> ranges;
};

/// What we have to say on a link. State, not a queue: the message is made when the link takes it.
struct Speech {
  bool digest = false;
  bool reply = false;            // ask for the other side's statement
  std::set<Stream> unwanted;     // streams that it shall not push to us
  bool full = false;             // a statement of everything, by parts
  std::optional<Stream> spoken;  // up to here
  std::uint64_t number = 0;      // of that statement
  std::set<Stream> about;        // a statement of these
  std::set<Hash> stops;
  std::uint64_t compare = 0;  // session whose list of conflicts is another one; 0: none
  struct Gossip {  // tells of members, by parts: streams from here on, members behind this one
    Stream stream;
    Site member;
  };
  std::optional<Gossip> gossip;
  std::optional<Message> unsent;  // made, but the link was busy
};

struct LinkState {
  LinkCaps caps;
  std::map<std::uint64_t, Peer> peers;  // by session
  Speech speech;
  std::deque<Job> data;
  std::set<Hash> queued;  // units in `data`
  std::uint64_t data_bytes = 0;
  bool blocked = false;
  bool data_next = false;  // control and data take turns
  TimeMs digest_at = 0, digest_every = 0;
  int same = 0;            // equal digests heard since our last
  Hash said;               // the last digest that we said, alone or in a statement
  ListSum said_list;       // and what it said of our list of conflicts
  TimeMs compared_at = 0;  // when we last asked for lists of conflicts
  TimeMs list_sent_at = 0;
  TimeMs have_at = kNever;           // when we state all that we hold
  TimeMs have_said = 0;              // when we did
  TimeMs reply_asked = 0;            // when we asked for the other side's
  std::map<Hash, TimeMs> overheard;  // group: when somebody last sent a piece of a unit
  struct Later {
    TimeMs at = 0, since = 0;
    std::uint64_t session = 0;
    WantMessage want;
  };
  std::vector<Later> later;  // group: requests to others that we answer if they don't
};

/// A stream that we lack the end of, and who is asked for it.
struct Asked {
  enum class State : std::uint8_t { hoped_for /* it may come by itself */, due, sent };
  LinkNumber link = 0;
  std::uint64_t session = 0;
  std::uint64_t last = 0;
  TimeMs until = 0;
  std::uint32_t attempt = 0;
  State state = State::due;
};

struct Exchange::Impl {
  Impl(Depot& d, Port& p, std::uint64_t s) : depot(d), port(p), session(s) {}

  // exchange.cpp
  void link_down(LinkNumber number);
  Peer* hear(LinkNumber number, LinkState& link, const Message& m);
  void give_up(LinkNumber number, const std::string& reason);

  // speech.cpp
  void pump(LinkNumber number);
  std::optional<Message> next_message(LinkNumber number, LinkState& link);
  std::optional<HaveMessage> next_statement(LinkState& link);
  bool send_fragment(LinkNumber number, LinkState& link);
  std::size_t message_bytes(const LinkCaps& caps) const;  // of the largest message that we send
  std::size_t control_bytes(const LinkCaps& caps) const;  // of the largest but for fragments
  TimeMs fragment_time(const LinkCaps& caps) const;
  TimeMs patience(const LinkCaps& caps) const;  // how long an answer may take

  // statements.cpp
  void on_digest(LinkNumber number, Peer& peer, const DigestMessage& m);
  void on_have(LinkNumber number, Peer& peer, const HaveMessage& m);
  void on_probe(LinkNumber number, const ProbeMessage& m);
  bool compare(LinkNumber number, const Stream& stream, const Tip& tip);
  void take_new_site();
  bool knows_all(const Peer& peer, const Hash& have) const;
  bool holds_the_same(const Peer& peer) const;
  void credit(Peer& peer, const UnitRef& unit);
  bool is_behind(const Peer& peer) const;
  static void forget_some(LinkState& link, const Peer& spared, std::size_t more);
  void say_digest_soon(LinkState& link);
  void say_have_soon(LinkState& link);
  void announce(const std::set<Stream>& streams, LinkNumber source);
  std::uint64_t held(const Stream& stream) const;
  const Hash& digest();

  // lists.cpp
  bool note_list(const LinkState& link, Peer& peer, const ListSum& theirs);
  void compare_if_due(LinkState& link, Peer& peer);
  void await_list(const LinkState& link, Peer& peer);
  void list_came();
  std::optional<CompareMessage> next_compare(LinkState& link);
  void name_list_begun(CompareMessage& m, const Site& of, std::size_t room) const;
  void on_compare(LinkNumber number, Peer& peer, const CompareMessage& m);
  void drop_older_lists(const UnitRef& unit);

  // gossip.cpp
  void note_statement(const Peer& peer, const HaveMessage& m);
  void gossip_if_due(LinkNumber number, LinkState& link);
  std::optional<HaveMessage> next_gossip(LinkState& link);

  // requests.cpp
  std::uint64_t next_needed(const Stream& stream) const;
  void plan(LinkNumber number, Peer& peer);
  void plan_all();
  bool may_come_by_itself(LinkNumber number, const Stream& stream) const;
  std::optional<WantMessage> next_want(LinkNumber number, LinkState& link);
  std::optional<WantMessage> next_graft(LinkState& link) const;
  void on_want(LinkNumber number, Peer& peer, const WantMessage& m);
  void overhear_want(LinkNumber number, const WantMessage& m);
  void answer(LinkNumber number, Peer& peer, const WantMessage& m, TimeMs since);
  void answer_by_cut(LinkNumber number, Peer& peer, const WantMessage& m);
  void name_parts(WantMessage& m, std::size_t room) const;
  std::optional<WantMessage::Part> part_begun(const UnitRef& unit, std::size_t& room) const;

  // transfer.cpp
  void on_frag(LinkNumber number, Peer& peer, const FragMessage& m);
  void be_patient(LinkNumber number, const Peer& peer, TimeMs for_ms);
  void ask_for_the_rest(LinkNumber number, const FragMessage& m);
  void on_stop(LinkNumber number, const Hash& unit);
  static void stop_sending(LinkState& link);
  static void drop_jobs(LinkState& link, const std::function<bool(const Job&)>& which);
  bool may_begin(LinkNumber number, const UnitRef& unit);
  bool make_room(LinkNumber number);
  bool may_begin_cut(LinkNumber number, const UnitRef& unit);
  bool comes_from_elsewhere(LinkNumber number, const UnitRef& unit) const;
  void stage(LinkNumber number, const FragMessage& m);
  bool is_fed_without(LinkNumber number, const Stream& stream) const;
  void refuse_unit(LinkNumber number, const Peer& peer, const UnitRef& unit);
  void yield_to_others(LinkState& link, const FragMessage& m);
  void enqueue(LinkNumber number, const UnitRef& unit, const std::vector<ByteRange>* ranges);
  void push(const UnitRef& unit, bool own, LinkNumber except);
  void apply();
  bool is_known(const UnitRef& unit) const;
  void find_waiting();
  void is_over(const UnitRef& unit);
  void forget_stale_units();

  // clockwork.cpp
  void tick();
  void tick_link(LinkNumber number);
  TimeMs next_tick() const;

  Depot& depot;
  Port& port;
  const std::uint64_t session;
  TimeMs now = 0, started_at = 0;
  std::uint64_t statements = 0;
  std::map<LinkNumber, LinkState> links;
  std::map<Stream, Asked> asked;
  Sources sources;
  std::map<Stream, LinkNumber> fed_by;  ///< Which link brought the last set, or a cut.
  /// Units here whole that wait for others: first and last set of each.
  std::map<Stream, std::map<std::uint64_t, std::uint64_t>> waiting;
  std::deque<Hash> done;    // cuts and lists
  std::deque<Hash> spoilt;  // units that were bad when they had come from several
  struct Told {             // of members
    std::uint64_t version = 0;
    TimeMs again_at = 0;  // not before
  };
  std::map<Site, Told> told_peers;         // at the other ends of links of two
  std::map<LinkNumber, Told> told_groups;  // of those that are up
  TimeMs apply_again_at = 0;
  TimeMs sweep_at = kNever;
  Hash digest_;
  bool digest_known = false;
};

}  // namespace mycelial::core
