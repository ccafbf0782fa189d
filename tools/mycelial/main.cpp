// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>
#include <string>

#include "tools/mycelial/command.hpp"

namespace mycelial::cli {
namespace {

struct Command {
  const char* name;
  const char* words;
  const char* help;
  int (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"track", "DB TABLE... | DB --all",
     "start capturing tables; their rows are the baseline. --all takes those that can be\n"
     "      tracked, names the others on stderr, and is content with one",
     track},
    {"untrack", "DB TABLE... | DB --all", "stop, and leave the database as it was found", untrack},
    {"alter", "DB \"ALTER TABLE ...\"",
     "drop a column of a tracked table, which SQLite refuses to others; also any other ALTER TABLE",
     alter},
    {"serve",
     "DB [--listen tcp://HOST:PORT]... [--peer tcp://HOST:PORT]... [--retention DAYS]\n"
     "           [--receive-max KB]",
     "keep the file in sync with peers until SIGINT or SIGTERM. A member that is silent for\n"
     "      longer than DAYS is not waited for; the file remembers that, 30 at first. A peer that\n"
     "      sends more than so many KB a second is read from more slowly",
     serve},
    {"sync", "DB tcp://HOST:PORT [--timeout SECONDS]",
     "sync both ways once, then exit. Waits 5 seconds for a peer that does not listen yet\n"
     "      and 60 seconds for the whole, or SECONDS for either",
     sync},
    {"status", "DB [--json]", "site, tables, peers, what is behind", status},
    {"digest", "DB", "one line; equal if and only if tracked tables hold equal rows", digest},
    {"conflicts", "DB [--json]", "what is hidden, parked or was superseded concurrently",
     conflicts},
    {"resolve", "DB restore|dismiss|COLUMN=VALUE ID...",
     "decide conflicts, for all replicas. restore: what is listed shows. dismiss: a hidden row is\n"
     "      deleted, a value is not listed any more. COLUMN=VALUE: a hidden row gets a value (as\n"
     "      SQL: 12, 'text') with which it can be shown. ID: the first word of mycelial "
     "conflicts,\n"
     "      or the start of it",
     resolve},
    {"doctor", "DB [--json]", "all that you might have to do something about, and what", doctor},
    {"check", "DB", "verify the bookkeeping against the tables", check},
    {"policy", "DB [--json] | DB TABLE[.COLUMN] NAME",
     "how concurrent writes merge: lww (the default), fww, max, min, counter, set, json; of a\n"
     "      table also row. Travels to all replicas",
     policy},
    {"members", "DB [--json]", "the replicas that this one knows of, and what each lacks", members},
    {"forget", "DB SITE",
     "do not wait for a member any more, until it is heard of again. SITE: its id, or the\n"
     "      start of it",
     forget},
    {"seal", "DB", "turn captured writes into a change set now", seal},
};

void help(std::FILE* out) {
  std::fputs("mycelial keeps ordinary SQLite databases in sync, peer to peer.\n\n", out);
  for (const auto& c : kCommands)
    std::fprintf(out, "  mycelial %s %s\n      %s\n", c.name, c.words, c.help);
  std::fputs("\nExit codes: 0 good, 1 failed, 2 usage.\n", out);
}

int help(const Command& c) {
  std::printf("mycelial %s %s\n    %s\n", c.name, c.words, c.help);
  return kGood;
}

int version() {
  std::puts("mycelial " MYCELIAL_VERSION);
  return kGood;
}

const Command* find(const std::string& name) {
  for (const auto& c : kCommands) {
    if (name == c.name) return &c;
  }
  return nullptr;
}

int run(int argc, char** argv) {
  if (argc < 2) {
    help(stderr);
    return kUsage;
  }
  const std::string name = argv[1];
  const Command* command = find(name);
  if (name == "help" && argc == 3) {
    command = find(argv[2]);
    return command ? help(*command) : usage_error(std::string("unknown command ") + argv[2]);
  }
  if (name == "--help" || name == "-h" || name == "help") {
    help(stdout);
    return kGood;
  }
  if (name == "--version") return version();
  if (!command) return usage_error("unknown command " + name);
  const Arguments a = parse(argc - 2, argv + 2);
  if (a.help) return help(*command);
  if (a.version) return version();
  if (!a.error.empty()) return usage_error(a.error);
  return command->run(a);
}

}  // namespace
}  // namespace mycelial::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a quota is an error like a full disk, not the end
  return mycelial::cli::run(argc, argv);
}
