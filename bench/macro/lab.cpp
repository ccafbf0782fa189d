// SPDX-License-Identifier: Apache-2.0
#include "macro/lab.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace mycelial::bench {
namespace {

double cpu_now() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

/// How far a measure is from its target; above 1 it misses.
double distance(const Measure& m) {
  if (!m.target || m.value.median <= 0) return 0;
  return m.more_is_better ? *m.target / m.value.median : m.value.median / *m.target;
}

std::string figure(double v) {
  if (v >= 1000) return fmt::format("{:.0f}", v);
  if (v >= 100) return fmt::format("{:.1f}", v);
  return fmt::format("{:.3g}", v);
}

std::string row_of(const Measure& m) {
  std::string target = "-";
  if (m.target) target = (m.more_is_better ? ">= " : "<= ") + figure(*m.target);
  return fmt::format(
      "| {} | {} {} | {} .. {} | {} | {} |\n", m.name, figure(m.value.median), m.unit,
      figure(m.value.low), figure(m.value.high), target,
      distance(m) > 1 ? "misses" + (m.remark.empty() ? "" : "; " + m.remark) : m.remark);
}

constexpr const char* kHead = "| what | median | spread | target | |\n|---|---|---|---|---|\n";

}  // namespace

Times timed(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const double cpu = cpu_now();
  const auto start = Clock::now();
  work();
  return {std::chrono::duration<double>(Clock::now() - start).count(), cpu_now() - cpu};
}

Spread spread_of(std::vector<double> v) {
  if (v.empty()) return {};
  std::sort(v.begin(), v.end());
  const auto n = v.size();
  const double median = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
  return {median, v.front(), v.back()};
}

void Report::add(Measure m) {
  std::fprintf(stderr, "%-10s %-58s %10s %-8s %s .. %s%s\n", m.group.c_str(), m.name.c_str(),
               figure(m.value.median).c_str(), m.unit.c_str(), figure(m.value.low).c_str(),
               figure(m.value.high).c_str(), distance(m) > 1 ? "  MISSES" : "");
  measures_.push_back(std::move(m));
}

std::string Report::markdown() const {
  std::vector<Measure> missed;
  for (const auto& m : measures_) {
    if (distance(m) > 1) missed.push_back(m);
  }
  std::stable_sort(missed.begin(), missed.end(),
                   [](const Measure& a, const Measure& b) { return distance(a) > distance(b); });
  std::string out = "## Missed, worst first\n\n";
  if (missed.empty()) out += "Nothing.\n";
  if (!missed.empty()) out += kHead;
  for (auto m : missed) {
    m.name = m.group + ": " + m.name;
    out += row_of(m);
  }
  std::string group;
  for (const auto& m : measures_) {
    if (m.group != group) out += fmt::format("\n## {}\n\n{}", m.group, kHead);
    group = m.group;
    out += row_of(m);
  }
  return out;
}

std::string Report::json() const {
  const auto text = [](const std::string& s) {
    std::string out = "\"";
    for (const char c : s) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out + '"';
  };
  std::string out = "[";
  for (const auto& m : measures_) {
    out += fmt::format(
        "{}\n  {{\"group\": {}, \"name\": {}, \"unit\": {}, \"median\": {:.6g}, \"low\": {:.6g}, "
        "\"high\": {:.6g}, \"target\": {}, \"more_is_better\": {}}}",
        out.size() > 1 ? "," : "", text(m.group), text(m.name), text(m.unit), m.value.median,
        m.value.low, m.value.high, m.target ? fmt::format("{:.6g}", *m.target) : "null",
        m.more_is_better);
  }
  return out + "\n]\n";
}

void Lab::compare(const std::string& group, const std::string& name, double target, double rows,
                  const std::function<Times()>& ours, const std::function<Times()>& plain) {
  std::vector<double> wall, cpu, each, plain_each;
  for (int i = 0; i < options.rounds; ++i) {
    Times a, b;
    if (i % 2) {
      a = ours();
      b = plain();
    } else {
      b = plain();
      a = ours();
    }
    wall.push_back(a.wall_s / b.wall_s);
    cpu.push_back(a.cpu_s / std::max(b.cpu_s, 1e-6));
    each.push_back(a.cpu_s / rows * 1e6);
    plain_each.push_back(b.cpu_s / rows * 1e6);
  }
  const auto remark =
      fmt::format("{:.2f} us a row, plain {:.2f}; by wall time {:.2f}", spread_of(each).median,
                  spread_of(plain_each).median, spread_of(wall).median);
  value(group, name, "x", spread_of(cpu), target, false, remark);
}

void Lab::value(const std::string& group, const std::string& name, const std::string& unit,
                Spread v, std::optional<double> target, bool more_is_better,
                const std::string& remark) {
  report.add({group, name, unit, v, target, more_is_better, remark});
}

}  // namespace mycelial::bench
