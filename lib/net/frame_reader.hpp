// SPDX-License-Identifier: Apache-2.0
// What one side says on a TCP connection: a preface of 8 bytes, then frames. A frame is a length
// (4 bytes, most significant first) and that many bytes; length 0 is a keep-alive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mycelial/status.hpp"

namespace mycelial::net {

// CR LF in the middle shows whether something on the way rewrites line ends; last, the version.
constexpr std::string_view kPreface{"MYCEL\r\n\x01", 8};
constexpr std::size_t kFrameHeaderBytes = 4;
constexpr std::size_t kFrameBytesMax = 1024 * 1024;
constexpr std::size_t kMessageBytesMax = 256 * 1024;

void append_frame_header(std::string& out, std::size_t payload_bytes);

/// Cuts a byte stream into messages. Holds at most one partial frame and what was fed beyond it.
class FrameReader {
 public:
  /// Adds bytes from the network.
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// True once, when the whole preface has come. Fails on the first byte that cannot be right.
  Result<bool> take_preface();
  /// True: `message` is the next one (never empty), valid until the next call of anything here.
  /// False: more bytes are needed. Keep-alives are skipped.
  Result<bool> next(std::string_view& message);
  /// Drops what next() has given. Call when done with a run of messages.
  void compact();
  bool empty() const { return at_ == buffer_.size(); }
  std::size_t capacity() const { return buffer_.capacity(); }  ///< Bytes of memory in use.

 private:
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace mycelial::net
