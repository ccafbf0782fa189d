// SPDX-License-Identifier: Apache-2.0
// The status as JSON, for hosts that would rather parse than ask.
#include "handles.hpp"

namespace mycelial::capi {
namespace {

/// Texts are passed through as the UTF-8 that they should be.
std::string quoted(const std::string& in) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : in) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20) {
      out += "\\u00";
      out += {kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Object {
 public:
  void text(const char* name, const std::string& value) { raw(name, quoted(value)); }
  void number(const char* name, std::uint64_t value) { raw(name, std::to_string(value)); }
  void boolean(const char* name, bool value) { raw(name, value ? "true" : "false"); }
  void raw(const char* name, const std::string& value) {
    out_ += out_.size() > 1 ? "," : "";
    out_ += quoted(name) + ":" + value;
  }
  std::string done() const { return out_ + "}"; }

 private:
  std::string out_ = "{";
};

template <class T, class F>
std::string list(const std::vector<T>& items, F&& one) {
  std::string out = "[";
  for (const T& item : items) {
    if (out.size() > 1) out += ",";
    out += one(item);
  }
  return out + "]";
}

std::string table_json(const TrackedTable& table) {
  Object out;
  out.text("name", table.name);
  out.boolean("tracked", table.tracked);
  out.text("reason", table.reason);
  return out.done();
}

std::string peer_json(const PeerInfo& peer) {
  Object out;
  out.text("endpoint", peer.endpoint);
  out.text("site", peer.site);
  out.boolean("connected", peer.connected);
  out.boolean("in_sync", peer.in_sync);
  out.number("they_lack_sets", peer.they_lack_sets);
  out.number("we_lack_sets", peer.we_lack_sets);
  out.text("last_error", peer.last_error);
  return out.done();
}

}  // namespace

std::string status_json(const ReplicaStatus& status) {
  Object out;
  out.text("path", status.path);
  out.text("site", status.site);
  out.raw("tables", list(status.tables, table_json));
  out.raw("peers", list(status.peers, peer_json));
  out.number("journal_entries", status.journal_entries);
  out.number("sets_held", status.sets_held);
  out.number("streams", status.streams);
  out.number("tail_sets", status.tail_sets);
  out.number("tail_bytes", status.tail_bytes);
  out.number("own_sets", status.own_sets);
  out.number("own_sets_elsewhere", status.own_sets_elsewhere);
  out.number("own_sets_everywhere", status.own_sets_everywhere);
  out.number("hidden_rows", status.hidden_rows);
  out.number("parked_rows", status.parked_rows);
  out.number("superseded", status.superseded);
  out.number("collisions", status.collisions);
  out.number("retention_s", status.retention_s);
  out.number("conflicts_max", status.conflicts_max);
  out.text("last_error", status.last_error);
  out.raw("notes", list(status.notes, quoted));
  out.text("sqlite_warning", status.sqlite_warning);
  return out.done();
}

}  // namespace mycelial::capi
