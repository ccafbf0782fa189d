// SPDX-License-Identifier: Apache-2.0
// What the commands share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mycelial/mycelial.hpp"

namespace mycelial::cli {

enum ExitCode { kGood = 0, kFailed = 1, kUsage = 2 };

/// The command line after the command's name.
struct Arguments {
  std::vector<std::string> plain;
  std::vector<std::string> listen, peers;
  bool all = false, json = false, help = false, version = false;
  std::optional<std::uint32_t> timeout_ms;
  std::uint64_t retention_s = 0;  ///< 0: as the file says.
  std::uint64_t receive_rate_max = 0;
  std::string error;  ///< Not empty: a usage error.
};

Arguments parse(int argc, char** argv);

int track(const Arguments& a);
int untrack(const Arguments& a);
int alter(const Arguments& a);
int serve(const Arguments& a);
int sync(const Arguments& a);
int status(const Arguments& a);
int digest(const Arguments& a);
int conflicts(const Arguments& a);
int resolve(const Arguments& a);
int doctor(const Arguments& a);
int check(const Arguments& a);
int seal(const Arguments& a);
int policy(const Arguments& a);
int members(const Arguments& a);
int forget(const Arguments& a);

/// Prints "mycelial: message" to stderr; gives kFailed, or kUsage if the command line is to blame.
int fail(const Status& status);
int usage_error(const std::string& message);
/// Null and an exit code if the file cannot be opened.
std::unique_ptr<Replica> open(const std::string& path, bool exclusive, int* exit_code);
std::unique_ptr<Replica> open(const std::string& path, const ReplicaOptions& options,
                              int* exit_code);
/// A JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string json(const std::string& text);

}  // namespace mycelial::cli
