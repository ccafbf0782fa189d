// SPDX-License-Identifier: Apache-2.0
// mycelial-sim: many replicas, one thread, virtual time, one seed.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/sim/marks.hpp"
#include "tests/sim/simulation.hpp"

namespace {

using mycelial::sim::Options;
using mycelial::sim::Report;

constexpr const char* kHelp = R"(usage: mycelial-sim [options]
Runs the engine, the storage and the protocol of several replicas in one thread
and virtual time, breaks everything that may break, and checks the laws.

  --seed S          the run to do (default 1)
  --seeds A-B       all of these; prints those that fail, and a summary
  --list FILE       runs that a file lists: "SEED NODES STEPS PROFILE what it was" per line
  --nodes N         replicas at the start (default 3)
  --steps K         things that happen before everything is healed (default 60)
  --profile P       drone, ship or vehicle (default: by seed)
  --random-tables   tables drawn by seed, some with merge policies and foreign keys,
                    instead of one of each kind
  --disk DIR        where the files are while a run lasts (default /dev/shm)
  --plant NAME      plant this bug (--prove lists them)
  --prove           plant every bug, each in seeds from 1 on until it is found
  --marks           print how often rare things happened, at the end
  --all-marks       the same, and fail if one of them never did
  --keep            leave the files of runs there
  --verbose         print everything that happens
  --help            this

Exit status: 0 every law held, 1 one did not, 2 wrong usage.
)";

struct Arguments {
  Options options;
  std::uint64_t first = 1, last = 1;
  bool range = false, help = false, prove = false, marks = false, all_marks = false;
  std::string profile, list;
};

bool number(const std::string& text, std::uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text.c_str(), &end, 10);
  return !text.empty() && *end == '\0' && text[0] >= '0' && text[0] <= '9';
}

bool parse_range(const std::string& text, Arguments& out) {
  const auto dash = text.find('-');
  out.range = true;
  return dash != std::string::npos && number(text.substr(0, dash), out.first) &&
         number(text.substr(dash + 1), out.last) && out.first <= out.last;
}

bool parse_value(const std::string& name, const std::string& value, Arguments& out) {
  std::uint64_t n = 0;
  if (name == "--seed") {
    const bool ok = number(value, out.first);
    out.last = out.first;
    return ok;
  }
  if (name == "--seeds") return parse_range(value, out);
  if (name == "--nodes" || name == "--steps") {
    if (!number(value, n) || n == 0 || n > 1'000'000) return false;
    (name == "--nodes" ? out.options.nodes : out.options.steps) = static_cast<int>(n);
    return true;
  }
  if (name == "--profile") {
    out.profile = value;
    return mycelial::sim::profile_named(value).has_value();
  }
  if (name == "--list") {
    out.list = value;
    return !value.empty();
  }
  if (name == "--plant") {
    out.options.plant = mycelial::sim::plant_named(value);
    return out.options.plant != nullptr;
  }
  if (name == "--disk") {
    out.options.disk = value;
    return !value.empty();
  }
  return false;
}

std::optional<Arguments> parse(const std::vector<std::string>& words) {
  Arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--help") {
      out.help = true;
    } else if (words[i] == "--prove") {
      out.prove = true;
    } else if (words[i] == "--marks" || words[i] == "--all-marks") {
      out.marks = true;
      out.all_marks |= words[i] == "--all-marks";
    } else if (words[i] == "--random-tables") {
      out.options.random_tables = true;
    } else if (words[i] == "--keep") {
      out.options.keep = true;
    } else if (words[i] == "--verbose") {
      out.options.verbose = true;
    } else if (i + 1 >= words.size() || !parse_value(words[i], words[i + 1], out)) {
      fmt::print(stderr, "mycelial-sim: {} is wrong; --help tells what is right\n", words[i]);
      return std::nullopt;
    } else {
      ++i;
    }
  }
  return out;
}

Options options_for(const Arguments& arguments, std::uint64_t seed) {
  static const char* const kProfiles[] = {"drone", "ship", "vehicle"};
  Options out = arguments.options;
  out.seed = seed;
  out.profile = *mycelial::sim::profile_named(arguments.profile.empty() ? kProfiles[seed % 3]
                                                                        : arguments.profile);
  return out;
}

/// Of the sources that this was built from, if git knows it.
std::string commit() {
  std::string out;
  FILE* git = ::popen("git -C " MYCELIAL_SOURCE " rev-parse --short HEAD 2>/dev/null", "r");
  if (git == nullptr) return "unknown";
  for (int c = 0; (c = std::fgetc(git)) != EOF && c != '\n';) out += static_cast<char>(c);
  ::pclose(git);
  return out.empty() ? "unknown" : out;
}

/// The fewest steps with which the run still fails: the steps before are the same ones.
int fewest_steps(Options o, const Report& report) {
  const int most = o.steps;
  const int last = std::min(most, static_cast<int>(report.step) + 1);
  o.verbose = false;
  for (o.steps = 1; o.steps < last; ++o.steps) {
    if (!mycelial::sim::simulate(o).failure.empty()) return o.steps;
  }
  return last;
}

void print_failure(const Options& o, const Report& report) {
  fmt::print(
      "seed {} failed at step {}: {}\n"
      "  again, at commit {}: mycelial-sim --seed {} --nodes {} --steps {} --profile {}{}\n",
      o.seed, report.step, report.failure, commit(), o.seed, o.nodes, o.steps, o.profile.name,
      o.random_tables ? " --random-tables" : "");
  std::fflush(stdout);
}

/// Runs of one kind, counted and timed.
class Tally {
 public:
  explicit Tally(bool shrink = false) : shrink_(shrink) {}
  Report run(const Options& options) {
    const Report report = mycelial::sim::simulate(options);
    ++runs_;
    if (report.failure.empty()) return report;
    ++failed_;
    print_failure(options, report);
    if (shrink_) fmt::print("  shorter: --steps {}\n", fewest_steps(options, report));
    return report;
  }
  void print() const {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
    fmt::print("{} seeds, {} failed, {:.1f} seeds per second\n", runs_, failed_,
               static_cast<double>(runs_) / taken.count());
  }
  int exit_code() const { return failed_ ? 1 : 0; }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const bool shrink_;
  std::uint64_t runs_ = 0, failed_ = 0;
};

int run_one(const Arguments& arguments) {
  fmt::print("seed {}\n", arguments.first);
  std::fflush(stdout);
  Tally tally;
  const Report report = tally.run(options_for(arguments, arguments.first));
  fmt::print("trace {:016x}\n", report.trace);
  return tally.exit_code();
}

int run_range(const Arguments& arguments) {
  Tally tally(true);
  for (std::uint64_t seed = arguments.first; seed <= arguments.last; ++seed) {
    tally.run(options_for(arguments, seed));
  }
  tally.print();
  return tally.exit_code();
}

/// Every planted bug is found within so many seeds.
int prove(const Arguments& arguments) {
  constexpr std::uint64_t kSeeds = 100;
  int missed = 0;
  for (const auto& plant : mycelial::sim::plants()) {
    Report report;
    std::uint64_t seed = 0;
    while (report.failure.empty() && seed < kSeeds) {
      Options options = options_for(arguments, ++seed);
      options.plant = &plant;
      report = mycelial::sim::simulate(options);
    }
    if (report.failure.empty()) ++missed;
    const std::string found = report.failure.empty() ? "NOT FOUND" : report.failure;
    fmt::print("{:<20} {:>3} seeds: {}\n", plant.name, seed, found.substr(0, 100));
    std::fflush(stdout);
  }
  return missed == 0 ? 0 : 1;
}

int run_list(const Arguments& arguments) {
  std::ifstream in(arguments.list);
  if (!in) throw std::runtime_error("cannot read " + arguments.list);
  Tally tally;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Options options = arguments.options;
    std::string profile;
    words >> options.seed >> options.nodes >> options.steps >> profile;
    const auto known = mycelial::sim::profile_named(profile);
    if (!words || !known) throw std::runtime_error("cannot understand: " + line);
    options.profile = *known;
    if (!tally.run(options).failure.empty()) fmt::print("  was: {}\n", line);
  }
  tally.print();
  return tally.exit_code();
}

/// Gives how many never happened.
int print_marks() {
  int missing = 0;
  for (const auto& [name, times] : mycelial::sim::all_marks()) {
    fmt::print("{:>12} {}\n", times, name);
    missing += times == 0 ? 1 : 0;
  }
  return missing;
}

int run(const Arguments& arguments) {
  if (arguments.prove) return prove(arguments);
  if (!arguments.list.empty()) return run_list(arguments);
  return arguments.range ? run_range(arguments) : run_one(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = parse({argv + 1, argv + argc});
  if (!arguments) return 2;
  if (arguments->help) {
    fmt::print("{}", kHelp);
    return 0;
  }
  try {
    const int code = run(*arguments);
    const int missing = arguments->marks ? print_marks() : 0;
    if (missing == 0 || !arguments->all_marks) return code;
    fmt::print("{} of these never happened\n", missing);
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "mycelial-sim: {}\n", e.what());
    return 1;
  }
}
