// SPDX-License-Identifier: Apache-2.0
// mycelial doctor: all that a person might have to do something about, and what.
#include <sys/vfs.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
#include <system_error>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

enum class Level { good, note, bad };
constexpr const char* kLevels[] = {"good", "note", "bad"};

struct Finding {
  Level level = Level::good;
  std::string what;
  std::string remedy;  ///< Empty: nothing is to be done.
};

class Examination {
 public:
  explicit Examination(std::string path) : path_(std::move(path)) {}

  void open_with(Replica& replica) {
    if (const auto s = replica.status(); s.ok()) {
      tables(*s);
      syncing(*s);
    } else {
      failed(s.status());
    }
    book(replica);
    conflicts(replica);
    members(replica);
    policies(replica);
  }

  void failed(const Status& status) { bad(std::string(status.message()), ""); }

  /// What can be told without opening the file.
  void surroundings() {
    constexpr std::time_t kFirstRelease = 1767225600;  // 2026-01-01
    if (std::time(nullptr) < kFirstRelease) {
      bad("the system's clock is years behind: writes made now lose to all others",
          "set the clock, then write");
    }
    if (on_network()) {
      bad("the file is on a network file system, where SQLite's locks and WAL fail",
          "move it to a local disk; the network is mycelial's part");
    }
    std::error_code error;
    const auto size = std::filesystem::file_size(path_, error);
    const auto wal = std::filesystem::file_size(path_ + "-wal", error);
    constexpr std::uintmax_t kLongWal = std::uintmax_t{64} << 20;
    if (!error && wal > kLongWal && wal > size / 2) {
      note("the WAL has grown to " + std::to_string(wal >> 20) + " MiB: somebody reads for long",
           "end transactions that only read; the next checkpoint empties it");
    }
    const auto space = std::filesystem::space(path_, error);
    if (!error && space.available < size / 4 + (std::uintmax_t{16} << 20)) {
      bad("the disk is nearly full: " + std::to_string(space.available >> 20) + " MiB are left",
          "make room; syncing stops when there is none");
    }
  }

  int report(bool as_json) {
    std::ranges::stable_sort(findings_, std::ranges::greater(), &Finding::level);
    std::string out;
    for (const auto& f : findings_) {
      if (as_json) {
        out += (out.empty() ? "" : ",\n ") + ("{\"level\":" + json(kLevels[int(f.level)])) +
               ",\"what\":" + json(f.what) + ",\"remedy\":" + json(f.remedy) + "}";
        continue;
      }
      std::printf("%-4s  %s%s%s\n", kLevels[int(f.level)], f.what.c_str(),
                  f.remedy.empty() ? "" : "\n      -> ", f.remedy.c_str());
    }
    if (as_json) std::printf("[%s]\n", out.c_str());
    const bool wrong =
        std::ranges::any_of(findings_, [](auto& f) { return f.level == Level::bad; });
    return wrong ? kFailed : kGood;
  }

 private:
  void good(std::string what) { findings_.push_back({Level::good, std::move(what), {}}); }
  void note(std::string what, std::string remedy) {
    findings_.push_back({Level::note, std::move(what), std::move(remedy)});
  }
  void bad(std::string what, std::string remedy) {
    findings_.push_back({Level::bad, std::move(what), std::move(remedy)});
  }

  bool on_network() const {
    constexpr long kNetworks[] = {0x6969 /* NFS */, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
                                  0x01021997 /* 9P */, 0x00c36400 /* Ceph */};
    struct statfs fs {};
    if (::statfs(path_.c_str(), &fs) != 0) return false;
    return std::ranges::find(kNetworks, static_cast<long>(fs.f_type)) != std::end(kNetworks);
  }

  void tables(const ReplicaStatus& s) {
    if (s.tables.empty()) {
      bad("no table is tracked: nothing travels", "mycelial track " + path_ + " --all");
    } else {
      good(std::to_string(s.tables.size()) + " tables are tracked; the file is site " + s.site);
    }
    std::string others;
    for (const auto& t : s.untracked) {
      if (!t.reason.empty()) {
        note("not tracked, and cannot be: " + t.reason, "");
      } else if (!s.tables.empty()) {
        others += (others.empty() ? "" : ", ") + t.name;
      }
    }
    if (!others.empty()) {
      note("not tracked: " + others, "mycelial track " + path_ + " TABLE..., if they shall travel");
    }
  }

  void syncing(const ReplicaStatus& s) {
    for (const auto& n : s.notes) note(n, "");
    if (!s.sqlite_warning.empty()) note(s.sqlite_warning, "");
    if (!s.last_error.empty()) bad("syncing stopped or was hindered: " + s.last_error, "");
    if (s.journal_entries > 0) {
      note(std::to_string(s.journal_entries) + " writes are captured and wait to be sealed",
           "a serving process seals them by itself: mycelial serve, or sync");
    }
    for (const auto& p : s.peers) {
      if (p.connected) {
        good("peer " + p.endpoint + (p.in_sync ? " is in sync" : " is syncing"));
      } else {
        note("peer " + p.endpoint + " is not connected" +
                 (p.last_error.empty() ? "" : ": " + p.last_error),
             "syncing goes on by itself once it can be reached");
      }
    }
  }

  void book(Replica& replica) {
    const auto wrong = replica.check();
    if (!wrong.ok()) return failed(wrong.status());
    for (const auto& w : *wrong) {
      bad(w,
          "if it stays after mycelial seal: keep a copy, and begin with a copy of a peer's file");
    }
    if (wrong->empty()) good("the bookkeeping fits the tables");
  }

  void conflicts(Replica& replica) {
    const auto all = replica.conflicts();
    if (!all.ok()) return failed(all.status());
    std::map<std::string, std::size_t> kinds;
    for (const auto& c : *all) ++kinds[c.kind];
    if (kinds.empty()) return good("nothing is hidden, parked or overruled");
    std::string list;
    for (const auto& [kind, count] : kinds) {
      list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
    }
    note("not shown as written: " + list,
         "mycelial conflicts " + path_ + " lists them, mycelial resolve decides");
  }

  void members(Replica& replica) {
    constexpr std::uint64_t kDay = 24 * 3600, kSilentDays = 3;
    const auto all = replica.members();
    if (!all.ok()) return failed(all.status());
    for (const auto& m : *all) {
      if (m.is_self || !m.holds_back || m.silent_s < kSilentDays * kDay) continue;
      note("member " + m.site.substr(0, 8) + " has been silent for " +
               std::to_string(m.silent_s / kDay) + " days; what it lacks is kept for it",
           "if it is gone for good: mycelial forget " + path_ + " " + m.site.substr(0, 8));
    }
  }

  void policies(Replica& replica) {
    const auto all = replica.policies();
    if (!all.ok()) return failed(all.status());
    for (const auto& p : *all) {
      if (p.known) continue;
      note(p.table + (p.column.empty() ? "" : "." + p.column) + " merges by " + p.policy +
               ", which this program does not know",
           "look at it with the program that registers the policy");
    }
  }

  std::string path_;
  std::vector<Finding> findings_;
};

}  // namespace

int doctor(const Arguments& a) {
  if (a.plain.size() != 1) return usage_error("doctor needs one database");
  Examination examination(a.plain[0]);
  ReplicaOptions options;
  options.exclusive = options.watch = false;
  const auto replica = Replica::open(a.plain[0], options);
  if (replica.ok()) {
    examination.surroundings();
    examination.open_with(**replica);
  } else {
    examination.failed(replica.status());
  }
  return examination.report(a.json);
}

}  // namespace mycelial::cli
