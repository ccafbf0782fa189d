// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>

#include "base/hash.hpp"
#include "engine/peers.hpp"

namespace mycelial::engine {
namespace {

constexpr char kFirstWord[] = "mycelial-serving-1";
constexpr std::size_t kBytesMax = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;
constexpr int kReadTries = 5;

/// Tabs and line ends separate; whatever could be mistaken for one is written as %XX.
std::string escape(const std::string& in) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : in) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '%') {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

std::string unescape(const std::string& in) {
  std::string out;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] == '%' && i + 2 < in.size()) {
      out += static_cast<char>(digit(in[i + 1]) * 16 + digit(in[i + 2]));
      i += 2;
    } else {
      out += in[i];
    }
  }
  return out;
}

bool parse_peer(std::istringstream& in, PeerInfo& out) {
  std::string endpoint, site, flags, they, we, error;
  for (std::string* field : {&endpoint, &site, &flags, &they, &we}) {
    if (!std::getline(in, *field, '\t')) return false;
  }
  std::getline(in, error, '\t');
  if (flags.size() != 2) return false;
  out.endpoint = unescape(endpoint);
  out.site = unescape(site);
  out.connected = flags[0] == '1';
  out.in_sync = flags[1] == '1';
  out.they_lack_sets = std::strtoull(they.c_str(), nullptr, 10);
  out.we_lack_sets = std::strtoull(we.c_str(), nullptr, 10);
  out.last_error = unescape(error);
  return true;
}

/// The first field says what the line is about.
void parse_line(const std::string& line, Serving& out) {
  std::istringstream in(line);
  std::string kind, text;
  std::getline(in, kind, '\t');
  if (kind == "peer") {
    PeerInfo info;
    if (parse_peer(in, info)) out.peers.push_back(std::move(info));
    return;
  }
  std::getline(in, text);
  if (kind == "error") out.last_error = unescape(text);
  if (kind == "note") out.notes.push_back(unescape(text));
  const auto number = [&] { return std::strtoull(text.c_str(), nullptr, 10); };
  if (kind == "collisions") out.collisions = number();
  if (kind == "elsewhere") out.own_sets_elsewhere = number();
  if (kind == "everywhere") out.own_sets_everywhere = number();
}

}  // namespace

std::string serving_path(const std::string& database) {
  return database + "-mycelial-peers";
}

std::string format_serving(const Serving& serving) {
  std::string out;
  if (!serving.last_error.empty()) out += "error\t" + escape(serving.last_error) + '\n';
  for (const std::string& note : serving.notes) out += "note\t" + escape(note) + '\n';
  const auto number = [&](const char* kind, std::uint64_t n) {
    if (n != 0) out += std::string(kind) + '\t' + std::to_string(n) + '\n';
  };
  number("collisions", serving.collisions);
  number("elsewhere", serving.own_sets_elsewhere);
  number("everywhere", serving.own_sets_everywhere);
  for (const PeerInfo& peer : serving.peers) {
    out += "peer\t" + escape(peer.endpoint) + '\t' + escape(peer.site) + '\t';
    out += peer.connected ? '1' : '0';
    out += peer.in_sync ? '1' : '0';
    out += '\t' + std::to_string(peer.they_lack_sets) + '\t' + std::to_string(peer.we_lack_sets) +
           '\t' + escape(peer.last_error) + '\n';
  }
  return out;
}

// Written over itself and never shortened, so that "the disk is full" can be told on a full disk.
Status write_serving(const std::string& database, const std::string& text) {
  const std::string path = serving_path(database);
  std::string all = std::string(kFirstWord) + '\t' + std::to_string(::getpid()) + '\t' +
                    std::to_string(text.size()) + '\t' + hash_parts({text}).hex() + '\n' + text;
  all.resize((all.size() + kPage - 1) / kPage * kPage, '\n');
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  const bool written =
      fd >= 0 && ::pwrite(fd, all.data(), all.size(), 0) == static_cast<ssize_t>(all.size());
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (written) return {};
  return Status(Errc::io, "cannot write " + path + ": " + std::generic_category().message(why));
}

namespace {

/// Empty: nobody serves, or it is being written this very moment.
std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string word, hash;
  long process = 0;
  std::size_t size = 0;
  if (!(in >> word >> process >> size >> hash) || word != kFirstWord) return {};
  if (process <= 0 || size > kBytesMax || in.get() != '\n') return {};
  if (::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH) return {};
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  return in && hash_parts({text}).hex() == hash ? text : std::string();
}

}  // namespace

Serving read_serving(const std::string& database) {
  Serving out;
  std::string text;
  for (int tries = 0; tries < kReadTries && text.empty(); ++tries) {
    text = read_text(serving_path(database));
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) parse_line(line, out);
  return out;
}

void remove_serving(const std::string& database) noexcept {
  try {
    std::remove(serving_path(database).c_str());
  } catch (...) {  // Out of memory for a name: the next open removes it.
  }
}

}  // namespace mycelial::engine
