// SPDX-License-Identifier: Apache-2.0
#include "net/frame_reader.hpp"

#include <algorithm>

namespace mycelial::net {

void append_frame_header(std::string& out, std::size_t payload_bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((payload_bytes >> shift) & 0xff));
  }
}

Result<bool> FrameReader::take_preface() {
  constexpr std::size_t kMagicBytes = kPreface.size() - 1;
  const std::size_t n = std::min(kMagicBytes, buffer_.size());
  if (std::string_view(buffer_).substr(0, n) != kPreface.substr(0, n)) {
    return Status(Errc::corrupt, "does not speak mycelial: wrong preface");
  }
  if (buffer_.size() < kPreface.size()) return false;
  const auto version = static_cast<unsigned char>(buffer_[kMagicBytes]);
  const auto ours = static_cast<unsigned char>(kPreface[kMagicBytes]);
  if (version != ours) {
    return Status(Errc::version, "speaks version " + std::to_string(version) +
                                     " of the TCP framing, this side version " +
                                     std::to_string(ours) + "; upgrade the older one");
  }
  at_ = kPreface.size();
  return true;
}

Result<bool> FrameReader::next(std::string_view& message) {
  for (;;) {
    const std::string_view left = std::string_view(buffer_).substr(at_);
    if (left.size() < kFrameHeaderBytes) return false;
    std::size_t length = 0;
    for (std::size_t i = 0; i < kFrameHeaderBytes; ++i) {
      length = length << 8 | static_cast<unsigned char>(left[i]);
    }
    if (length > kFrameBytesMax) {
      return Status(Errc::corrupt, "announced a frame of " + std::to_string(length) +
                                       " bytes; at most " + std::to_string(kFrameBytesMax) +
                                       " are allowed");
    }
    if (left.size() - kFrameHeaderBytes < length) return false;
    at_ += kFrameHeaderBytes + length;
    if (length == 0) continue;
    message = left.substr(kFrameHeaderBytes, length);
    return true;
  }
}

void FrameReader::compact() {
  constexpr std::size_t kKeepBytes = 4096;  // an idle link costs little memory
  buffer_.erase(0, at_);
  at_ = 0;
  if (buffer_.empty() && buffer_.capacity() > kKeepBytes) std::string().swap(buffer_);
}

}  // namespace mycelial::net
