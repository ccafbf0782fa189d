// SPDX-License-Identifier: Apache-2.0
// Frames: what comes in on a TCP connection, in pieces of any size. The same bytes give the same
// messages and the same error, however they come, and memory is bounded.
#include <algorithm>
#include <vector>

#include "net/endpoint.hpp"
#include "net/frame_reader.hpp"
#include "tests/fuzz/target.hpp"

namespace mycelial::fuzz {
namespace {

struct Heard {
  std::vector<std::string> messages;
  std::string error;
  friend bool operator==(const Heard&, const Heard&) = default;
};

/// `piece` gives the size of the next one.
template <class Piece>
Heard hear(std::string_view in, Piece&& piece) {
  Heard out;
  net::FrameReader reader;
  bool up = false;
  while (out.error.empty() && !in.empty()) {
    const auto part = in.substr(0, piece());
    in.remove_prefix(part.size());
    reader.feed(part);
    if (!up) {
      const auto said = reader.take_preface();
      if (!said.ok()) out.error = said.status().to_string();
      up = said.ok() && *said;
    }
    std::string_view message;
    for (bool more = up && out.error.empty(); more;) {
      const auto next = reader.next(message);
      if (!next.ok()) out.error = next.status().to_string();
      more = next.ok() && *next;
      if (!more) break;
      expect(!message.empty() && message.size() <= net::kFrameBytesMax, "a message within bounds");
      out.messages.emplace_back(message);
    }
    reader.compact();
    expect(reader.capacity() <= 4 * (net::kFrameBytesMax + part.size()), "bounded memory");
  }
  return out;
}

}  // namespace
}  // namespace mycelial::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fuzz = mycelial::fuzz;
  fuzz::Feed feed({reinterpret_cast<const char*>(data), size});
  std::vector<std::size_t> pieces(1 + feed.below(8));
  for (auto& p : pieces) p = 1 + feed.byte();
  std::string in(mycelial::net::kPreface);
  if (feed.below(8) == 0) in.clear();
  in += feed.rest();
  std::size_t next = 0;
  const auto whole = fuzz::hear(in, [&] { return in.size(); });
  const auto some = fuzz::hear(in, [&] { return pieces[next++ % pieces.size()]; });
  fuzz::expect(whole == some, "the same messages however they come", whole.error + some.error);
  return 0;
}
