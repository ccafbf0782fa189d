// SPDX-License-Identifier: Apache-2.0
#include "runtime/wal_watcher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace mycelial::runtime {
namespace {

// The directory is watched for names only, so that a busy neighbour wakes nobody; the contents of
// the three files are watched one by one.
constexpr std::uint32_t kDirectoryEvents =
    IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kFileEvents = IN_MODIFY | IN_CLOSE_WRITE;
// The least time between two calls; the first change of a burst is not delayed.
constexpr int kGapMs = 3;

void close_fd(int& fd) noexcept {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

struct WalWatcher::State {
  ~State() {
    close_fd(notify_fd);
    close_fd(stop_fd);
  }

  void run();
  bool wait(int timeout_ms, bool for_events);
  bool drain();
  bool relevant(const inotify_event& event);
  void watch_files();

  std::filesystem::path directory;
  std::array<std::string, 3> names;  // DB, DB-wal, DB-journal
  std::array<int, 3> watches{-1, -1, -1};
  std::function<void()> on_change;
  int notify_fd = -1;
  int stop_fd = -1;
  int directory_watch = -1;
  std::atomic<bool> active{false};
  std::thread thread;
};

// Adding a watch that exists is harmless, and follows a file that was replaced.
void WalWatcher::State::watch_files() {
  for (std::size_t i = 0; i < names.size(); ++i) {
    watches[i] = ::inotify_add_watch(notify_fd, (directory / names[i]).c_str(), kFileEvents);
  }
}

/// True: something to read. False: stop was asked for, or the time is over.
bool WalWatcher::State::wait(int timeout_ms, bool for_events) {
  std::array<pollfd, 2> fds{{{stop_fd, POLLIN, 0}, {notify_fd, POLLIN, 0}}};
  const int ready = ::poll(fds.data(), for_events ? 2 : 1, timeout_ms);
  if (ready < 0 && errno != EINTR) active = false;
  if (ready > 0 && fds[0].revents != 0) active = false;
  return ready > 0;
}

bool WalWatcher::State::relevant(const inotify_event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
  if (event.wd != directory_watch) return (event.mask & kFileEvents) != 0;
  if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0) {
    active = false;
    return true;
  }
  if (event.len == 0) return false;
  for (const std::string& name : names) {
    if (name == event.name) return true;
  }
  return false;
}

/// Reads what is there; true when any of it concerns the database.
bool WalWatcher::State::drain() {
  alignas(inotify_event) std::array<char, 8192> buffer;
  bool changed = false;
  for (;;) {
    const ssize_t got = ::read(notify_fd, buffer.data(), buffer.size());
    if (got <= 0) {
      if (got < 0 && errno == EINTR) continue;
      if (got == 0 || errno != EAGAIN) active = false;
      break;
    }
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      if (relevant(*event)) changed = true;
      if (event->wd == directory_watch || (event->mask & IN_Q_OVERFLOW) != 0) watch_files();
      at += sizeof(inotify_event) + event->len;
    }
  }
  return changed;
}

void WalWatcher::State::run() {
  while (active) {
    if (!wait(-1, true) || !active) continue;
    if (!drain()) continue;
    try {
      on_change();
    } catch (...) {  // The callback's own business; the next change calls again.
    }
    if (active) wait(kGapMs, false);
  }
}

WalWatcher::WalWatcher() = default;
WalWatcher::~WalWatcher() {
  stop();
}

bool WalWatcher::start(const std::string& database_path, std::function<void()> on_change) {
  if (state_) return false;
  try {
    auto state = std::make_unique<State>();
    // SQLite follows symbolic links and puts the -wal next to the real file.
    const auto real = std::filesystem::weakly_canonical(std::filesystem::absolute(database_path));
    const std::string name = real.filename().string();
    if (name.empty()) return false;
    state->directory = real.parent_path();
    state->names = {name, name + "-wal", name + "-journal"};
    state->on_change = std::move(on_change);
    state->notify_fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    state->stop_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (state->notify_fd < 0 || state->stop_fd < 0) return false;
    state->directory_watch =
        ::inotify_add_watch(state->notify_fd, state->directory.c_str(), kDirectoryEvents);
    if (state->directory_watch < 0) return false;
    state->watch_files();
    for (std::size_t i = 0; i < state->names.size(); ++i) {
      const bool there = std::filesystem::exists(state->directory / state->names[i]);
      if (there && state->watches[i] < 0) return false;
    }
    state->active = true;
    state->thread = std::thread([s = state.get()] { s->run(); });
    state_ = std::move(state);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

bool WalWatcher::active() const noexcept {
  return state_ && state_->active;
}

void WalWatcher::stop() noexcept {
  if (!state_) return;
  if (state_->thread.joinable()) {
    const std::uint64_t one = 1;
    // The counter of a fresh eventfd cannot be full, so this write cannot fail.
    [[maybe_unused]] const ssize_t wrote = ::write(state_->stop_fd, &one, sizeof one);
    state_->thread.join();
  }
  state_->active = false;
}

}  // namespace mycelial::runtime
