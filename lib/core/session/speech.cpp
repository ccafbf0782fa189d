// SPDX-License-Identifier: Apache-2.0
// What is said on a link, when the link takes it: control and data take turns.
#include <algorithm>

#include "core/session/impl.hpp"
#include "core/session/sizes.hpp"

namespace mycelial::core {
namespace {

constexpr std::size_t kMessageMax = 128 * 1024;  // so that urgent things wait little
constexpr std::size_t kControlMax = 32 * 1024;
constexpr std::uint64_t kSlowMessage = 160;  // not less, however slow the link

}  // namespace

std::size_t Exchange::Impl::message_bytes(const LinkCaps& caps) const {
  const std::size_t bytes = std::min(kMessageMax, caps.message_bytes_max);
  if (!caps.bytes_per_second) return bytes;
  const auto quarter = std::max(caps.bytes_per_second / 4, kSlowMessage);
  return std::min<std::size_t>(bytes, quarter);
}

std::size_t Exchange::Impl::control_bytes(const LinkCaps& caps) const {
  return std::min(message_bytes(caps), kControlMax);
}

TimeMs Exchange::Impl::fragment_time(const LinkCaps& caps) const {
  if (!caps.bytes_per_second) return 0;
  return 1000 * message_bytes(caps) / caps.bytes_per_second;
}

TimeMs Exchange::Impl::patience(const LinkCaps& caps) const {
  return 1000 + 2 * TimeMs{caps.delay_ms} + 4 * fragment_time(caps);
}

/// Sends what the link takes.
void Exchange::Impl::pump(LinkNumber number) {
  for (;;) {
    const auto it = links.find(number);
    if (it == links.end() || it->second.blocked) return;
    LinkState& link = it->second;
    if (!link.data_next || link.data.empty()) {
      auto message = std::exchange(link.speech.unsent, std::nullopt);
      if (!message) message = next_message(number, link);
      if (message) {
        link.blocked = port.send(number, *message) != SendOutcome::accepted;
        if (link.blocked) {
          link.speech.unsent = std::move(message);
          return;
        }
        link.data_next = true;
        continue;
      }
      if (link.data.empty()) return;
    }
    if (!send_fragment(number, link)) return;
    link.data_next = false;
  }
}

std::optional<Message> Exchange::Impl::next_message(LinkNumber number, LinkState& link) {
  Speech& speech = link.speech;
  const auto message = [&](auto body) { return Message{depot.site(), session, std::move(body)}; };
  if (!speech.stops.empty()) {
    const StopMessage stop{*speech.stops.begin()};
    speech.stops.erase(speech.stops.begin());
    return message(stop);
  }
  if (auto have = next_statement(link)) return message(std::move(*have));
  if (auto want = next_want(number, link)) return message(std::move(*want));
  if (auto graft = next_graft(link)) return message(std::move(*graft));
  if (auto compare = next_compare(link)) return message(std::move(*compare));
  if (auto gossip = next_gossip(link)) return message(std::move(*gossip));
  if (std::exchange(speech.digest, false)) {
    link.said = digest();
    link.said_list = depot.list();
    return message(DigestMessage{digest(), link.said_list});
  }
  return std::nullopt;
}

/// A part of what there is to state, as much as fits one message; also hello and acknowledgement.
std::optional<HaveMessage> Exchange::Impl::next_statement(LinkState& link) {
  Speech& speech = link.speech;
  if (!speech.full && speech.about.empty() && !speech.reply && speech.unwanted.empty()) {
    return std::nullopt;
  }
  const std::size_t most = control_bytes(link.caps);
  std::size_t room = most - sizes::have(most);
  HaveMessage m;
  const auto add = [&](const Stream& stream, const Tip& tip) {
    const std::size_t bytes = sizes::tip(stream, tip);
    if (bytes > room) return false;
    room -= bytes;
    m.tips.emplace_back(stream, tip);
    return true;
  };
  m.have = link.said = digest();
  m.reply = std::exchange(speech.reply, false);
  const Have& have = depot.have();
  if (speech.full) {
    if (!speech.spoken) speech.number = ++statements;
    m.number = speech.number;
    auto it = speech.spoken ? have.upper_bound(*speech.spoken) : have.begin();
    while (it != have.end() && add(it->first, it->second)) ++it;
    m.last_part = it == have.end();
    if (m.last_part) {
      speech.full = false;
      speech.spoken.reset();
      speech.about.clear();
    } else {
      speech.spoken = m.tips.back().first;
    }
    return m;
  }
  m.number = ++statements;
  auto& streams = speech.unwanted.empty() ? speech.about : speech.unwanted;
  m.push = speech.unwanted.empty() ? 0 : 1;
  while (!streams.empty()) {
    const auto it = have.find(*streams.begin());
    if (!add(*streams.begin(), it == have.end() ? Tip{} : it->second)) break;
    streams.erase(streams.begin());
  }
  return m;
}

bool Exchange::Impl::send_fragment(LinkNumber number, LinkState& link) {
  // Sets before cuts: a cut is long, and what is new may be applicable without it.
  auto job = std::find_if(link.data.begin(), link.data.end(),
                          [](const Job& j) { return holds_sets(j.unit.kind); });
  if (job == link.data.end()) job = link.data.begin();
  const ByteRange range = job->ranges.front();
  const std::size_t most = message_bytes(link.caps);
  const std::size_t size = std::min<std::uint64_t>(
      most - sizes::frag(job->unit, depot.site(), most), range.end - range.begin);
  auto bytes = depot.read(job->unit, range.begin, size);
  if (!bytes.ok() || bytes->empty()) {  // it left the tail meanwhile; the peer asks again
    drop_jobs(link, [unit = job->unit.id](const Job& j) { return j.unit.id == unit; });
    return true;
  }
  const auto sent = bytes->size();
  const bool more =
      link.data.size() > 1 || job->ranges.size() > 1 || range.begin + sent < range.end;
  const Message message{depot.site(), session,
                        FragMessage{job->unit, range.begin, std::move(*bytes), more}};
  link.blocked = port.send(number, message) != SendOutcome::accepted;
  if (link.blocked) return false;
  link.data_bytes -= sent;
  job->ranges.front().begin += sent;
  if (job->ranges.front().begin >= job->ranges.front().end) job->ranges.pop_front();
  if (job->ranges.empty()) drop_jobs(link, [](const Job& j) { return j.ranges.empty(); });
  return true;
}

}  // namespace mycelial::core
