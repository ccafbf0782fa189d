// SPDX-License-Identifier: Apache-2.0
#include "core/policy/json.hpp"

#include <algorithm>

namespace mycelial::core {
namespace {

constexpr int kDepthMax = 200;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Reads values, and spells them without blanks.
class Scanner {
 public:
  explicit Scanner(ByteView in) : in_(in) { skip_blank(); }

  bool take(char c) {
    if (in_.empty() || in_.front() != c) return false;
    in_.remove_prefix(1);
    skip_blank();
    return true;
  }
  bool at_end() const { return in_.empty(); }

  bool string(Bytes& out) {
    if (in_.empty() || in_.front() != '"') return false;
    std::size_t i = 1;
    for (; i < in_.size() && in_[i] != '"'; ++i) {
      if (static_cast<unsigned char>(in_[i]) < 0x20) return false;
      if (in_[i] == '\\' && !escape(i)) return false;
    }
    if (i >= in_.size()) return false;
    give(i + 1, out);
    return true;
  }

  bool value(Bytes& out, int depth = 0) {
    if (in_.empty() || depth > kDepthMax) return false;
    switch (in_.front()) {
      case '"':
        return string(out);
      case '[':
        return list('[', ']', out, depth);
      case '{':
        return list('{', '}', out, depth);
      case 't':
        return word("true", out);
      case 'f':
        return word("false", out);
      case 'n':
        return word("null", out);
      default:
        return number(out);
    }
  }

 private:
  void skip_blank() {
    const auto n = in_.find_first_not_of(" \t\r\n");
    in_.remove_prefix(n == ByteView::npos ? in_.size() : n);
  }
  void give(std::size_t n, Bytes& out) {
    out.append(in_.substr(0, n));
    in_.remove_prefix(n);
    skip_blank();
  }
  bool escape(std::size_t& i) const {
    if (++i >= in_.size()) return false;
    if (in_[i] != 'u') return ByteView("\"\\/bfnrt").find(in_[i]) != ByteView::npos;
    for (int k = 0; k < 4; ++k) {
      if (++i >= in_.size() || !is_hex(in_[i])) return false;
    }
    return true;
  }
  bool word(ByteView w, Bytes& out) {
    if (!in_.starts_with(w)) return false;
    give(w.size(), out);
    return true;
  }
  bool number(Bytes& out) {
    std::size_t i = 0;
    const auto digits = [&] {
      const std::size_t first = i;
      while (i < in_.size() && is_digit(in_[i])) ++i;
      return i > first;
    };
    if (i < in_.size() && in_[i] == '-') ++i;
    const bool zero = i < in_.size() && in_[i] == '0';
    const std::size_t first = i;
    if (!digits() || (zero && i > first + 1)) return false;
    if (i < in_.size() && in_[i] == '.' && (++i, !digits())) return false;
    if (i < in_.size() && (in_[i] == 'e' || in_[i] == 'E')) {
      ++i;
      if (i < in_.size() && (in_[i] == '+' || in_[i] == '-')) ++i;
      if (!digits()) return false;
    }
    give(i, out);
    return true;
  }
  bool list(char open, char close, Bytes& out, int depth) {
    take(open);
    out.push_back(open);
    for (bool first = true; !take(close); first = false) {
      if (!first) {
        if (!take(',')) return false;
        out.push_back(',');
      }
      if (open == '{') {
        if (!string(out) || !take(':')) return false;
        out.push_back(':');
      }
      if (!value(out, depth + 1)) return false;
    }
    out.push_back(close);
    return true;
  }

  ByteView in_;
};

}  // namespace

std::optional<std::vector<Bytes>> split_array(ByteView text) {
  Scanner in(text);
  if (!in.take('[')) return {};
  std::vector<Bytes> out;
  for (bool first = true; !in.take(']'); first = false) {
    if (!first && !in.take(',')) return {};
    if (!in.value(out.emplace_back())) return {};
  }
  if (!in.at_end()) return {};
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::optional<std::vector<std::pair<Bytes, Bytes>>> split_object(ByteView text) {
  Scanner in(text);
  if (!in.take('{')) return {};
  std::vector<std::pair<Bytes, Bytes>> out;
  for (bool first = true; !in.take('}'); first = false) {
    if (!first && !in.take(',')) return {};
    auto& [key, value] = out.emplace_back();
    if (!in.string(key) || !in.take(':') || !in.value(value)) return {};
  }
  if (!in.at_end()) return {};
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  std::reverse(out.begin(), out.end());
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  return out;
}

}  // namespace mycelial::core
