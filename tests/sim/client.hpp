// SPDX-License-Identifier: Apache-2.0
// Client: an application that has never heard of mycelial. It writes by plain SQL, at any time, and
// notes in the ledger what SQLite told it is committed.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/context.hpp"
#include "tests/sim/sql.hpp"

namespace mycelial::storage {
class Store;
}

namespace mycelial::sim {

class Client {
 public:
  Client(Context& context, std::string name, int number, const std::string& path, Clock& clock,
         Drive& drive);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Goes one step: a statement or a whole transaction, sometimes one that stays open.
  void act();
  /// Ends what is open.
  void finish();
  void close();  ///< SIGKILL.
  void open();   ///< A new process.
  /// A reader: no transfer between accounts is ever half visible.
  void read_sums();
  void housekeeping();
  /// Makes a table anew, as migrations do: a copy takes its name. Whoever does so lets the engine
  /// look before it writes there again: until look_taken(), the table is left alone.
  void rebuild();
  bool is_rebuilding() const { return !rebuilt_.empty(); }
  void look_taken() { rebuilt_.clear(); }
  /// Adds the columns that come later, as far as they are missing. False: it could not.
  bool complete();
  Moment moment();  ///< As far as the file has got.

  Connection& reader() { return *reader_; }
  Connection& writer() { return *db_; }
  bool busy() const { return open_; }
  int owner;      ///< Of the accounts that it writes.
  int epoch = 0;  ///< See Moment.

  std::function<void()> on_commit;

 private:
  void begin();
  void step();
  void end(bool commit);
  int run(const std::string& sql);
  void doubt(const Table& table, const std::string& sql);
  std::vector<std::string> statements(const Table& table, const Image& now);
  void add_column(const Table& table);
  void drop_column(const Table& table);
  storage::Store* store();
  bool look(Connection& db, Images& into);
  void bury(const Transaction& t);

  Context& c_;
  const std::string name_;
  const std::string path_;
  Program program_;
  Program observer_;  // for what the checks read: nothing fails for it
  std::unique_ptr<Connection> db_, reader_;
  std::unique_ptr<storage::Store> store_;  // what the command does; null until needed
  std::vector<const Table*> plan_;         // tables of the open transaction
  std::size_t own_ = 0;                    // so many it writes to; to the others, triggers do
  std::vector<std::string> next_;          // statements to come
  Images before_;
  std::set<const Table*> rebuilt_;
  bool open_ = false, moved_ = false;
  bool alone_ = false;  // what is open is one statement, without BEGIN
  bool full_ = true;    // PRAGMA synchronous: what is committed, stays
  int left_ = 0;        // rounds of statements until the end
};

}  // namespace mycelial::sim
