// SPDX-License-Identifier: Apache-2.0
#include "tests/scenario/script.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>

namespace mycelial::scenario {
namespace {

constexpr char kBlank[] = " \t\r";
constexpr char kNoRows[] = "(none)";

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

bool is_name(const std::string& word) {
  return !word.empty() && std::isalpha(static_cast<unsigned char>(word[0])) &&
         std::all_of(word.begin(), word.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

/// The sites before `>` or `!`; false if that is not what stands there.
bool read_sites(const std::string& before, Statement& out) {
  for (std::string word : words_of(before)) {
    if (const auto dot = word.find('.'); dot != std::string::npos) {
      out.connection = word.substr(dot + 1);
      word.resize(dot);
      if (!is_name(out.connection)) return false;
    }
    if (!is_name(word)) return false;
    out.sites.push_back(word);
  }
  return !out.sites.empty();
}

struct Arity {
  std::size_t least, most;
};

/// Commands, and how many words follow them.
const std::map<std::string, Arity>& commands() {
  constexpr std::size_t kMany = 99;
  static const std::map<std::string, Arity> kAll = {
      {"sites", {1, kMany}}, {"links", {1, kMany}},   {"schema", {0, kMany}},
      {"track", {1, kMany}}, {"untrack", {1, kMany}}, {"cut", {2, kMany}},
      {"heal", {0, 0}},      {"clock", {2, 2}},       {"wait", {1, 1}},
      {"deliver", {1, 2}},   {"duplicate", {0, 0}},   {"stop", {1, kMany}},
      {"start", {1, kMany}}, {"crash", {1, kMany}},   {"power", {1, kMany}},
      {"settle", {0, 0}},    {"seal", {1, kMany}},    {"reconnect", {1, 1}},
      {"copy", {2, 2}},      {"backup", {1, 1}},      {"restore", {1, 1}},
      {"open", {1, 1}},      {"dump", {2, 2}},        {"differ", {1, kMany}},
      {"agree", {1, kMany}}, {"reload", {1, 1}},      {"policy", {3, 3}},
      {"alter", {2, kMany}}, {"resolve", {3, kMany}},
  };
  return kAll;
}

Statement read_statement(const std::string& line, int number) {
  Statement out;
  out.line = number;
  const auto mark = line.find_first_of(">!");
  // deliver a->b has its own >.
  if (mark != std::string::npos && line[mark - (mark ? 1 : 0)] != '-' &&
      read_sites(line.substr(0, mark), out)) {
    out.kind = line[mark] == '>' ? Statement::Kind::sql : Statement::Kind::refused;
    out.text = trimmed(line.substr(mark + 1));
    return out;
  }
  out.sites.clear();
  out.connection.clear();
  std::vector<std::string> words = words_of(line);
  if (words.size() >= 2 && (words.back() == "conflicts" || words.back() == "status")) {
    out.kind = Statement::Kind::listing;
    out.verb = words.back();
    words.pop_back();
    out.sites = words;
    return out;
  }
  const auto command = commands().find(words[0]);
  if (command == commands().end()) throw Failure(number, "unknown statement: " + words[0]);
  out.verb = words[0];
  out.words.assign(words.begin() + 1, words.end());
  if (out.words.size() < command->second.least || out.words.size() > command->second.most) {
    throw Failure(number, out.verb + " is given " + std::to_string(out.words.size()) + " words");
  }
  return out;
}

void add_expected(Script& script, const std::string& line, int number) {
  if (script.statements.empty()) throw Failure(number, "what gives this?");
  Statement& last = script.statements.back();
  std::string text = line.substr(1);
  if (!text.empty() && text[0] == ' ') text.erase(0, 1);
  if (text == kNoRows ? last.expects : last.expects && last.expected.empty()) {
    throw Failure(number, std::string(kNoRows) + " stands alone");
  }
  last.expects = true;
  if (text != kNoRows) last.expected.push_back(text);
}

void add_continuation(Script& script, const std::string& line, int number) {
  if (script.statements.empty()) throw Failure(number, "an indented line continues nothing");
  Statement& last = script.statements.back();
  const bool has_sql = last.kind == Statement::Kind::sql || last.kind == Statement::Kind::refused ||
                       last.verb == "schema";
  if (!has_sql || last.expects) throw Failure(number, "an indented line continues no SQL");
  last.text += (last.text.empty() ? "" : "\n") + trimmed(line);
}

}  // namespace

Script parse(const std::string& text) {
  Script out;
  std::istringstream in(text);
  int number = 0;
  bool at_top = true;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.starts_with('#')) {
      if (at_top) out.rule += (out.rule.empty() ? "" : " ") + trimmed(line.substr(1));
      continue;
    }
    at_top = false;
    if (trimmed(line).empty()) continue;
    if (line[0] == '=') {
      add_expected(out, line, number);
    } else if (line[0] == ' ' || line[0] == '\t') {
      add_continuation(out, line, number);
    } else {
      out.statements.push_back(read_statement(line, number));
    }
  }
  if (out.rule.empty()) {
    throw Failure(1, "a script begins with a comment that states the rule it shows");
  }
  for (const Statement& s : out.statements) {
    const bool sql = s.kind == Statement::Kind::sql || s.kind == Statement::Kind::refused;
    if (sql && s.text.empty()) throw Failure(s.line, "there is no SQL");
  }
  return out;
}

}  // namespace mycelial::scenario
