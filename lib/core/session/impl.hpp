// SPDX-License-Identifier: Apache-2.0
// What the parts of the session share. exchange.cpp: the face, links and sending; statements.cpp:
// who holds what; transfer.cpp: units on their way; clockwork.cpp: what time demands.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/exchange.hpp"

namespace mycelial::core {

/// One session heard on a link: what it told us. Volatile.
struct Peer {
  Site site;
  std::uint64_t session = 0;
  std::map<Stream, std::pair<std::uint64_t, Tip>> tips;  // number of the statement, tip
  Hash have;                                             // digest of its latest statement
  std::uint64_t statement = 0;                           // number of that
  bool heard_have = false;
  bool push = true;        // wants our own new sets as they are sealed
  bool relay = false;      // wants everybody's
  bool feeds_us = false;   // we asked it to push everybody's sets to us
  bool fresh = true;       // has not been asked yet: a first request is for backlog
  std::set<Stream> dirty;  // streams to tell it about
  TimeMs tell_at = 0;      // when, if any
};

struct Job {  // bytes of a unit to send
  UnitRef unit;
  std::deque<ByteRange> ranges;
};

struct LinkState {
  LinkCaps caps;
  std::map<std::uint64_t, Peer> peers;  // by session
  std::deque<std::pair<std::string, Message>>
      control;  // by kind: a newer one replaces an unsent one
  std::deque<Job> data;
  std::uint64_t data_bytes = 0;
  bool blocked = false;
  bool data_next = false;  // control and data take turns
  TimeMs digest_at = 0, digest_every = 0;
};

struct Asked {
  LinkNumber link = 0;
  std::uint64_t session = 0;
  std::uint64_t last = 0;
  TimeMs until = 0;
  std::uint32_t attempt = 0;
};

struct Exchange::Impl {
  Impl(Depot& d, Port& p, std::uint64_t s) : depot(d), port(p), session(s) {}

  // exchange.cpp
  void say(LinkNumber number, const std::string& key, decltype(Message::body) body);
  void pump(LinkNumber number);
  bool send_fragment(LinkNumber number, LinkState& link);
  std::size_t fragment_bytes(const LinkCaps& caps) const;
  TimeMs patience(const LinkCaps& caps) const;  // how long an answer may take
  void give_up(LinkNumber number, const std::string& reason);

  // statements.cpp
  void say_have(LinkNumber number, const std::set<Stream>* only, bool reply, std::uint8_t push = 0);
  void say_digest(LinkNumber number);
  void on_digest(LinkNumber number, Peer& peer, const DigestMessage& m);
  void on_have(LinkNumber number, Peer& peer, const HaveMessage& m);
  void on_probe(LinkNumber number, const ProbeMessage& m);
  bool compare(LinkNumber number, const Stream& stream, const Tip& tip);
  bool lacks_nothing(const Peer& peer) const;
  std::uint64_t held(const Stream& stream) const;
  const Hash& digest();

  // transfer.cpp
  void plan(LinkNumber number, Peer& peer);
  void plan_all();
  void on_want(LinkNumber number, Peer& peer, const WantMessage& m);
  void on_frag(LinkNumber number, Peer& peer, const FragMessage& m);
  void on_stop(LinkNumber number, const StopMessage& m);
  void enqueue(LinkNumber number, const UnitRef& unit, const std::vector<ByteRange>* ranges);
  void push(const UnitRef& unit, bool own, LinkNumber except);
  void apply(LinkNumber from);
  void announce(const std::set<Stream>& streams);
  bool is_known(const UnitRef& unit) const;

  // clockwork.cpp
  void tick();
  TimeMs next_tick() const;

  Depot& depot;
  Port& port;
  const std::uint64_t session;
  TimeMs now = 0;
  std::uint64_t statements = 0;
  std::map<LinkNumber, LinkState> links;
  std::map<Stream, Asked> asked;
  std::map<Hash, std::pair<LinkNumber, TimeMs>>
      sources;  // of units begun: who sends it, since when
  TimeMs apply_again_at = 0;
  Hash digest_;
  bool digest_known = false;
};

}  // namespace mycelial::core
