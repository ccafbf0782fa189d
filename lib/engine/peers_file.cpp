// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "engine/peers.hpp"

namespace mycelial::engine {
namespace {

constexpr char kFirstWord[] = "mycelial-peers-1";
constexpr std::size_t kBytesMax = std::size_t{1} << 20;

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

bool parse_line(const std::string& line, PeerInfo& out) {
  std::istringstream in(line);
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

}  // namespace

std::string peers_path(const std::string& database) {
  return database + "-mycelial-peers";
}

std::string format_peers(const std::vector<PeerInfo>& peers) {
  std::string out = std::string(kFirstWord) + '\t' + std::to_string(::getpid()) + '\n';
  for (const PeerInfo& peer : peers) {
    out += escape(peer.endpoint) + '\t' + escape(peer.site) + '\t';
    out += peer.connected ? '1' : '0';
    out += peer.in_sync ? '1' : '0';
    out += '\t' + std::to_string(peer.they_lack_sets) + '\t' + std::to_string(peer.we_lack_sets) +
           '\t' + escape(peer.last_error) + '\n';
  }
  return out;
}

Status write_peers(const std::string& database, const std::string& text) {
  const std::string path = peers_path(database);
  const std::string fresh = path + ".new";
  {
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) return Status(Errc::io, "cannot write " + fresh);
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    return Status(Errc::io, "cannot rename " + fresh + " to " + path);
  }
  return {};
}

std::vector<PeerInfo> read_peers(const std::string& database) {
  std::vector<PeerInfo> out;
  std::ifstream in(peers_path(database), std::ios::binary);
  std::string text;
  char buffer[4096];
  while (text.size() < kBytesMax && (in.read(buffer, sizeof buffer) || in.gcount() > 0)) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
  }
  std::istringstream lines(text);
  std::string line, word;
  long process = 0;
  if (!std::getline(lines, line)) return out;
  std::istringstream first(line);
  if (!(first >> word >> process) || word != kFirstWord || process <= 0) return out;
  if (::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH) return out;
  while (std::getline(lines, line)) {
    PeerInfo info;
    if (parse_line(line, info)) out.push_back(std::move(info));
  }
  return out;
}

void remove_peers(const std::string& database) noexcept {
  try {
    std::remove(peers_path(database).c_str());
  } catch (...) {  // Out of memory for a name: the next open removes it.
  }
}

}  // namespace mycelial::engine
