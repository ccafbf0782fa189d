// SPDX-License-Identifier: Apache-2.0
// What every measurement uses: time, a folder to work in, statistics, and the report.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mycelial::bench {

struct Times {
  double wall_s = 0;
  double cpu_s = 0;  ///< User and system time of this process.
};

/// Runs `work` once and says how long it took.
Times timed(const std::function<void()>& work);

struct Spread {
  double median = 0, low = 0, high = 0;
};
Spread spread_of(std::vector<double> values);

/// How a measurement is read: `target` is a bound on `value`, from below when more is better.
struct Measure {
  std::string group, name, unit;
  Spread value;
  std::optional<double> target;
  bool more_is_better = false;
  std::string remark;
};

class Report {
 public:
  void add(Measure m);
  /// A table per group, worst of them first; all as GitHub tables.
  std::string markdown() const;
  std::string json() const;

 private:
  std::vector<Measure> measures_;
};

struct Options {
  std::string folder;   ///< Removed at the end.
  std::string tool;     ///< Path of the mycelial command.
  std::string self;     ///< Path of this program.
  std::string library;  ///< Path of libmycelial.so; may be empty.
  int rounds = 5;
  std::int64_t rows = 200'000;
  std::int64_t many_rows = 1'000'000;
};

struct Lab {
  Options options;
  Report report;

  std::string path(const std::string& name) const { return options.folder + "/" + name; }

  /// Runs both `rounds` times, taking turns at going first, and reports ours / plain by wall and by
  /// CPU time. `rows`: per run; gives the absolute times a row.
  void compare(const std::string& group, const std::string& name, double target, double rows,
               const std::function<Times()>& ours, const std::function<Times()>& plain);
  void value(const std::string& group, const std::string& name, const std::string& unit,
             Spread value, std::optional<double> target = {}, bool more_is_better = false,
             const std::string& remark = {});
};

void measure_writes(Lab& lab);
void measure_seal(Lab& lab);
void measure_wire(Lab& lab);
void measure_apply(Lab& lab);
void measure_size(Lab& lab);
void measure_few(Lab& lab);
void measure_processes(Lab& lab);

}  // namespace mycelial::bench
