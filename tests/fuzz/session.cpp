// SPDX-License-Identifier: Apache-2.0
// The session: any messages, from any links, at any time. Nothing crashes, every message said is
// one that a peer reads and that the link takes, and one input gives a bounded number of messages.
#include "codec/codec.hpp"
#include "core/exchange.hpp"
#include "tests/fuzz/depot.hpp"
#include "tests/fuzz/target.hpp"

namespace mycelial::fuzz {
namespace {

constexpr std::uint64_t kSession = 1;
constexpr std::size_t kLinks = 4;

class Game final : public core::Port {
 public:
  explicit Game(ByteView in) : feed_(in), exchange_(depot_, *this, kSession) {
    core::Tip tip;
    for (int i = 0; i < 6; ++i) {
      sets_.push_back(make_set({site(2), 0, 0}, tip, "set"));
      tip = {sets_.back().ref.last, sets_.back().ref.id};
    }
  }

  void play() {
    while (!feed_.empty()) {
      said_ = 0;
      step();
      for (core::LinkNumber link = 0; link < kLinks; ++link) {
        if (std::exchange(closed_[link], false)) exchange_.link_down(link, now_);
      }
      expect(said_ < 20'000, "a bounded number of messages per input");
    }
    for (const auto& peer : exchange_.peers()) (void)exchange_.in_sync(peer.link);
    (void)exchange_.next_tick();
  }

  SendOutcome send(core::LinkNumber link, const core::Message& message) override {
    ++said_;
    const Bytes bytes = codec::encode_message(message);
    expect(codec::decode_message(bytes).ok(), "messages that peers can read");
    expect(link < kLinks && bytes.size() <= mtu_[link], "messages that the link takes");
    if (blocked_) return SendOutcome::would_block;
    return closed_[link] ? SendOutcome::closed : SendOutcome::accepted;
  }
  void close(core::LinkNumber link, const std::string&) override { closed_[link] = true; }
  std::uint64_t random() override { return random_ = random_ * 6364136223846793005U + 1; }

 private:
  void step() {
    const core::LinkNumber link = feed_.below(kLinks);
    switch (feed_.below(12)) {
      case 0:
        up(link);
        break;
      case 1:
        exchange_.link_down(link, now_);
        break;
      case 2:
        blocked_ = !blocked_;
        if (!blocked_) exchange_.writable(link, now_);
        break;
      case 3:
        now_ += std::uint64_t{feed_.byte()} << feed_.below(8);
        exchange_.tick(now_);
        break;
      case 4: {
        const core::UnitRef ref = depot_.seal();
        exchange_.sealed({&ref, 1}, now_);
        break;
      }
      case 5:
        depot_.fail_apply = feed_.below(4) == 1;
        depot_.forget_tail = feed_.below(4) == 1;
        break;
      case 6: {
        const auto message = codec::decode_message(feed_.bytes(feed_.byte()));
        if (message.ok()) exchange_.receive(link, *message, now_);
        break;
      }
      default:
        exchange_.receive(link, message(), now_);
    }
  }

  void up(core::LinkNumber link) {
    static constexpr std::size_t kMtu[] = {128, 65536, 256 * 1024};
    static constexpr std::uint64_t kRate[] = {0, 100, 100'000};
    LinkCaps caps;
    caps.message_bytes_max = mtu_[link] = kMtu[feed_.below(3)];
    caps.bytes_per_second = kRate[feed_.below(3)];
    caps.group = feed_.below(3) == 1;
    exchange_.link_up(link, caps, now_);
  }

  std::uint64_t number() {
    const std::uint8_t n = feed_.byte();
    return n < 250 ? n % 10 : ~std::uint64_t{0} >> (n % 5 % 4 * 16);
  }
  std::uint64_t seq() { return number() >> 1; }
  core::Stream stream() { return {site(1 + feed_.below(4)), feed_.below(8) == 1 ? 1U : 0U, 0}; }
  Hash hash(std::uint64_t at) {
    if (feed_.below(4) != 1 && at >= 1 && at <= sets_.size()) return sets_[at - 1].ref.id;
    Hash out;
    out.bytes.fill(feed_.byte());
    return out;
  }
  std::vector<std::pair<core::Stream, core::Tip>> tips() {
    std::vector<std::pair<core::Stream, core::Tip>> out(feed_.below(4));
    for (auto& [of, tip] : out) {
      of = stream();
      tip.seq = seq();
      tip.hash = hash(tip.seq);
    }
    return out;
  }

  core::Message message() {
    core::Message out{site(feed_.below(4)), 1U + feed_.below(4), {}};
    switch (feed_.below(7)) {
      case 0:
        out.body = core::DigestMessage{hash(0)};
        break;
      case 1:
        out.body = core::HaveMessage{
            number(), tips(), hash(0), feed_.below(2) == 1, feed_.below(2) == 1, feed_.below(3)};
        break;
      case 2:
        out.body = want();
        break;
      case 3:
        out.body = frag();
        break;
      case 4:
        out.body = core::StopMessage{hash(seq())};
        break;
      case 5: {
        core::ProbeMessage probe{stream(), {}};
        const std::uint64_t at = seq();
        probe.points.push_back({at, hash(at)});
        out.body = probe;
        break;
      }
      default:
        out.body = core::ByeMessage{"bye"};
    }
    return out;
  }

  core::WantMessage want() {
    core::WantMessage out;
    out.to = feed_.below(8) == 1 ? 2 : kSession;
    for (auto n = feed_.below(4); n > 0; --n) {
      out.needs.push_back({stream(), seq(), seq(), feed_.byte()});
    }
    for (auto n = feed_.below(3); n > 0; --n) {
      const std::uint64_t begin = number();
      out.parts.push_back({hash(seq()), {{begin, begin + number() / 2}}});
    }
    out.tips = tips();
    out.graft = feed_.below(2) == 1;
    return out;
  }

  core::FragMessage frag() {
    core::FragMessage out;
    out.more = feed_.below(2) == 1;
    const std::uint8_t which = feed_.below(8);
    if (which < sets_.size()) {  // A piece of a good set.
      const Set& set = sets_[which];
      out.unit = set.ref;
      out.offset = feed_.below(2) == 1 ? 0 : feed_.byte() % set.bytes.size();
      out.bytes = set.bytes.substr(out.offset, feed_.below(2) == 1 ? feed_.byte() : 1000);
      return out;
    }
    out.unit = {hash(seq()), core::UnitKind::set, stream(), seq(), 0, number(), 0};
    out.unit.last = out.unit.first + feed_.below(3);
    out.unit.kind = static_cast<core::UnitKind>(1 + feed_.below(3));
    out.offset = number();
    out.bytes = Bytes(feed_.bytes(feed_.below(32)));
    return out;
  }

  Feed feed_;
  MemoryDepot depot_{site(1)};
  core::Exchange exchange_;
  std::vector<Set> sets_;  ///< Of site 2: what a good peer would send.
  core::TimeMs now_ = 1000;
  bool blocked_ = false;
  bool closed_[kLinks] = {};
  std::size_t mtu_[kLinks] = {};
  std::uint64_t random_ = 1;
  std::size_t said_ = 0;
};

}  // namespace
}  // namespace mycelial::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  mycelial::fuzz::Game({reinterpret_cast<const char*>(data), size}).play();
  return 0;
}
