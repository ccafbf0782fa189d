// SPDX-License-Identifier: Apache-2.0
// replay_NAME [--mutate N] [--seed S] FILE|FOLDER...
// Runs the target on every file, and on N mutations of each. The same arguments give the same
// inputs. An input that kills the process is written to crash-NAME in the current folder.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/target.hpp"

namespace {

struct Input {
  std::string name, bytes;
};

std::string current;       // NOLINT: the signal handler needs it.
std::string current_name;  // NOLINT

void keep_input(int signal) {
  std::ofstream("crash-" + current_name, std::ios::binary) << current;
  std::fprintf(stderr, "input of %zu bytes kept in crash-%s\n", current.size(),
               current_name.c_str());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const std::string& name, const std::string& bytes) {
  current_name = name;
  current = bytes;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::vector<Input> load(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.emplace_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> out;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    out.push_back({file.filename().string(),
                   {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}});
  }
  return out;
}

class Mutator {
 public:
  Mutator(const std::vector<Input>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}

  std::string mutate(std::string bytes) {
    for (auto n = 1 + below(4); n > 0; --n) step(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : static_cast<std::size_t>(random_() % n); }

  void step(std::string& bytes) {
    const std::size_t at = below(bytes.size() + 1);
    const std::size_t size = below(std::min<std::size_t>(bytes.size() - at, 16) + 1);
    switch (below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random_());
        break;
      case 2:
        bytes.erase(at, size);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, size));
        break;
      case 4:
        bytes.insert(at, 1 + below(8), static_cast<char>(chance() ? 0xff : random_()));
        break;
      default: {  // The rest from another input.
        const std::string& other = corpus_[below(corpus_.size())].bytes;
        const std::size_t from = below(other.size() + 1);
        bytes = bytes.substr(0, at) + other.substr(from);
      }
    }
  }
  bool chance() { return below(2) == 0; }

  const std::vector<Input>& corpus_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t mutations = 0;
  std::uint64_t seed = 1;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--mutate" && i + 1 < argc) {
      mutations = std::strtoull(argv[++i], nullptr, 10);
    } else if (argument == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      paths.push_back(argument);
    }
  }
  std::signal(SIGABRT, keep_input);
  std::signal(SIGSEGV, keep_input);
  const std::vector<Input> corpus = load(paths);
  std::uint64_t count = 0;
  for (const auto& [name, bytes] : corpus) {
    run(name, bytes);
    Mutator mutator(corpus, seed + std::hash<std::string>()(name));
    for (std::uint64_t i = 0; i < mutations; ++i) run(name, mutator.mutate(bytes));
    count += 1 + mutations;
  }
  std::printf("%zu files, %llu inputs\n", corpus.size(), static_cast<unsigned long long>(count));
  return corpus.empty() ? 1 : 0;
}
