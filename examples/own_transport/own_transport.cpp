// SPDX-License-Identifier: Apache-2.0
// A network of your own in a page: messages travel as files in folders, as they would on a USB
// stick or in a synchronised directory. `dir:///some/folder`: the listener's folder holds one
// sub-folder per caller, with "to" and "from" in it.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "application.hpp"
#include "mycelial/mycelial.hpp"

namespace fs = std::filesystem;

/// Writes numbered files into one folder, reads those of another.
class FolderLink final : public mycelial::Link {
 public:
  FolderLink(fs::path out, fs::path in) : out_(std::move(out)), in_(std::move(in)) {}

  mycelial::LinkCaps caps() const noexcept override { return {32 * 1024, 0, 5, false}; }

  mycelial::SendOutcome send(std::string_view message) override {
    const std::lock_guard lock(mutex_);
    if (closed_) return mycelial::SendOutcome::closed;
    const fs::path part = out_ / "part";
    std::ofstream(part, std::ios::binary).write(message.data(), std::ssize(message));
    std::error_code error;
    fs::rename(part, out_ / std::to_string(++sent_), error);  // whole or not at all
    return mycelial::SendOutcome::accepted;                   // lost if that failed: allowed
  }
  void consumed(std::size_t) noexcept override {}
  void close() noexcept override { closed_ = true; }
  std::string remote() const override { return "dir://" + in_.string(); }

  /// Hands over what has come. False: the link has ended, and the handler has been told so.
  bool serve(mycelial::LinkHandler& handler) {
    for (;;) {
      const fs::path next = in_ / std::to_string(received_ + 1);
      std::ifstream file(next, std::ios::binary);
      if (closed_ || !file) break;
      const std::string message{std::istreambuf_iterator<char>(file), {}};
      std::error_code ignored;
      fs::remove(next, ignored);
      ++received_;
      handler.on_message(message);
    }
    if (!closed_) return true;
    handler.on_closed(mycelial::Status(mycelial::Errc::closed, "the folder link was closed"));
    return false;
  }

 private:
  const fs::path out_, in_;
  std::mutex mutex_;
  std::atomic<bool> closed_{false};
  std::uint64_t sent_ = 0, received_ = 0;
};

class FolderTransport final : public mycelial::Transport {
 public:
  FolderTransport() : thread_([this] { run(); }) {}
  ~FolderTransport() override { FolderTransport::stop(); }

  std::string scheme() const override { return "dir"; }

  mycelial::Result<std::string> listen(const std::string& endpoint,
                                       mycelial::LinkAcceptor& acceptor) override {
    const std::lock_guard lock(mutex_);
    fs::create_directories(folder_of(endpoint));
    listening_[endpoint] = &acceptor;
    return endpoint;
  }

  mycelial::Status dial(const std::string& endpoint, mycelial::LinkAcceptor& acceptor) override {
    static std::atomic<int> callers{0};
    const fs::path mine = folder_of(endpoint) / ("caller-" + std::to_string(++callers));
    fs::create_directories(mine / "to");
    fs::create_directories(mine / "from");
    std::ofstream(mine / "ready").put('\n');
    bring_up(std::make_shared<FolderLink>(mine / "to", mine / "from"), true, endpoint, acceptor);
    return {};
  }

  void stop() noexcept override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Open {
    std::shared_ptr<FolderLink> link;
    mycelial::LinkHandler* handler;
  };

  static fs::path folder_of(const std::string& endpoint) { return endpoint.substr(6); }

  void bring_up(std::shared_ptr<FolderLink> link, bool dialed, const std::string& endpoint,
                mycelial::LinkAcceptor& acceptor) {
    mycelial::LinkHandler* const handler = acceptor.on_link(link, dialed, endpoint);
    const std::lock_guard lock(mutex_);
    if (handler != nullptr) fresh_.push_back({std::move(link), handler});
  }

  void accept_callers() {
    std::map<std::string, mycelial::LinkAcceptor*> listening;
    {
      const std::lock_guard lock(mutex_);
      listening = listening_;
    }
    for (const auto& [endpoint, acceptor] : listening) {
      for (const auto& entry : fs::directory_iterator(folder_of(endpoint))) {
        const fs::path caller = entry.path();
        std::error_code error;
        if (!fs::remove(caller / "ready", error)) continue;
        bring_up(std::make_shared<FolderLink>(caller / "from", caller / "to"), false, endpoint,
                 *acceptor);
      }
    }
  }

  /// One thread looks around every few milliseconds; all calls to handlers are made by it.
  void run() {
    std::vector<Open> open;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      std::move(fresh_.begin(), fresh_.end(), std::back_inserter(open));
      fresh_.clear();
      lock.unlock();
      accept_callers();
      std::erase_if(open, [](Open& one) { return !one.link->serve(*one.handler); });
      lock.lock();
      wake_.wait_for(lock, std::chrono::milliseconds(5), [this] { return stopping_; });
    }
    std::move(fresh_.begin(), fresh_.end(), std::back_inserter(open));
    lock.unlock();
    for (Open& one : open) {
      one.link->close();
      one.link->serve(*one.handler);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<std::string, mycelial::LinkAcceptor*> listening_;
  std::vector<Open> fresh_;
  std::thread thread_;
};

namespace {

void check(const mycelial::Status& status) {
  if (status.ok()) return;
  std::cerr << status.to_string() << '\n';
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path here = fs::path(argc > 1 ? argv[1] : "/tmp") / "mycelial_own_transport";
  fs::remove_all(here);
  fs::create_directories(here);
  const std::string one = here / "one.db", other = here / "other.db";
  run_sql(one, "CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)");
  run_sql(other, "CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)");
  auto a = mycelial::Replica::open(one);
  check(a.status());
  auto b = mycelial::Replica::open(other);
  check(b.status());
  for (mycelial::Replica* replica : {a->get(), b->get()}) {
    check(replica->track("notes"));
    check(replica->add_transport(std::make_unique<FolderTransport>()));
  }
  run_sql(one, "INSERT INTO notes VALUES (1, 'carried in files')");
  run_sql(other, "INSERT INTO notes VALUES (2, 'and back')");
  const std::string endpoint = "dir://" + (here / "stick").string();
  check((*a)->listen(endpoint).status());
  check((*b)->sync(endpoint, 30'000));
  return print_rows(one) == 2 && print_rows(other) == 2 ? 0 : 1;
}
