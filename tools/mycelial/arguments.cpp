// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {

Arguments parse(int argc, char** argv) {
  Arguments a;
  bool options = true;
  for (int i = 0; i < argc && a.error.empty(); ++i) {
    const std::string word = argv[i];
    const auto value = [&](const char* what) -> std::string {
      if (i + 1 < argc) return argv[++i];
      a.error = word + " needs " + what;
      return {};
    };
    const auto number = [&](const std::string& what) {
      const std::string text = value(what.c_str());
      char* end = nullptr;
      const double out = std::strtod(text.c_str(), &end);
      const bool good = !text.empty() && !*end && out > 0 && out <= 1e6;
      if (a.error.empty() && !good) {
        a.error = word;
        a.error.append(" needs ").append(what).append(", not '").append(text).append("'");
      }
      return good ? out : 0;
    };
    if (!options || word.empty() || word[0] != '-' || word == "-") {
      a.plain.push_back(word);
    } else if (word == "--") {
      options = false;
    } else if (word == "--all") {
      a.all = true;
    } else if (word == "--json") {
      a.json = true;
    } else if (word == "--help" || word == "-h") {
      a.help = true;
    } else if (word == "--version") {
      a.version = true;
    } else if (word == "--listen") {
      a.listen.push_back(value("an address such as tcp://0.0.0.0:4100"));
    } else if (word == "--peer") {
      a.peers.push_back(value("an address such as tcp://host:4100"));
    } else if (word == "--timeout") {
      a.timeout_ms = static_cast<std::uint32_t>(number("a number of seconds") * 1000);
    } else if (word == "--receive-max") {
      a.receive_rate_max = static_cast<std::uint64_t>(number("a number of KB a second") * 1000);
    } else if (word == "--retention") {
      a.retention_s = static_cast<std::uint64_t>(std::ceil(number("a number of days") * 24 * 3600));
    } else {
      a.error = "unknown option " + word;
    }
  }
  return a;
}

int fail(const Status& status) {
  std::fprintf(stderr, "mycelial: %s\n", std::string(status.message()).c_str());
  const bool wrong_call =
      status.code() == Errc::invalid_argument || status.code() == Errc::unsupported;
  return wrong_call ? kUsage : kFailed;
}

int usage_error(const std::string& message) {
  std::fprintf(stderr, "mycelial: %s\ntry 'mycelial --help'\n", message.c_str());
  return kUsage;
}

/// A process that was killed holds its file until the system has cleared it away: whoever starts
/// the next one at once need not know that.
std::unique_ptr<Replica> open(const std::string& path, const ReplicaOptions& options,
                              int* exit_code) {
  using std::chrono::steady_clock;
  const auto until = steady_clock::now() + std::chrono::seconds(1);
  for (;;) {
    auto replica = Replica::open(path, options);
    if (replica.ok()) return std::move(*replica);
    const bool held = options.exclusive && replica.status().code() == Errc::busy;
    if (!held || steady_clock::now() > until) {
      *exit_code = fail(replica.status());
      return nullptr;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::unique_ptr<Replica> open(const std::string& path, bool exclusive, int* exit_code) {
  ReplicaOptions options;
  options.exclusive = exclusive;
  options.watch = exclusive;
  return open(path, options, exit_code);
}

namespace {

/// Length of the UTF-8 sequence at p, 0 if it is none.
std::size_t utf8_length(const unsigned char* p, std::size_t left) {
  const std::size_t n = p[0] < 0x80       ? 1
                        : p[0] >> 5 == 6  ? 2
                        : p[0] >> 4 == 14 ? 3
                        : p[0] >> 3 == 30 ? 4
                                          : 0;
  if (n == 0 || n > left || (n == 2 && p[0] < 0xc2)) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if (p[i] >> 6 != 2) return 0;
  }
  return n;
}

}  // namespace

std::string json(const std::string& text) {
  std::string out = "\"";
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = utf8_length(p + i, text.size() - i);
    if (n == 0) {
      out += "\\ufffd";
      ++i;
      continue;
    }
    if (p[i] == '"' || p[i] == '\\') out += '\\';
    if (p[i] < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(p[i]));
      out += escape;
    } else {
      out += text.substr(i, n);
    }
    i += n;
  }
  return out + "\"";
}

}  // namespace mycelial::cli
