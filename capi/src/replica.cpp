// SPDX-License-Identifier: Apache-2.0
#include "mycelial/replica.hpp"

#include "handles.hpp"

using namespace mycelial;
using namespace mycelial::capi;

namespace {

mycelial_options defaults() noexcept {
  const ReplicaOptions from;
  mycelial_options out{};
  out.struct_size = sizeof out;
  out.exclusive = from.exclusive ? 1 : 0;
  out.watch = from.watch ? 1 : 0;
  out.debounce_ms = from.debounce_ms;
  out.busy_timeout_ms = from.busy_timeout_ms;
  out.tail_bytes_max = from.tail_bytes_max;
  return out;
}

/// A call of one method on a replica, with one text.
template <class F>
mycelial_code with(mycelial_replica* replica, const char* text, const char* name,
                   mycelial_error* error, F&& body) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    if (text == nullptr) return null_argument(name);
    return body(*replica->replica, std::string(text));
  });
}

template <class F>
mycelial_code with(mycelial_replica* replica, mycelial_error* error, F&& body) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    return body(*replica->replica);
  });
}

Status give_text(mycelial_text** out, Result<std::string> text) {
  if (!text.ok()) return text.status();
  give(out, mycelial_text{std::move(text).value()});
  return {};
}

}  // namespace

extern "C" {

void mycelial_options_init(mycelial_options* options, uint32_t struct_size) noexcept {
  init_sized(options, struct_size, defaults());
}

mycelial_code mycelial_open(const char* path, const mycelial_options* options,
                            mycelial_replica** out, mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (path == nullptr) return null_argument("path");
    if (out == nullptr) return null_argument("out");
    mycelial_options wanted = defaults();
    if (Status status = read_sized(options, wanted, "options"); !status.ok()) return status;
    ReplicaOptions to;
    to.exclusive = wanted.exclusive != 0;
    to.watch = wanted.watch != 0;
    to.debounce_ms = wanted.debounce_ms;
    to.busy_timeout_ms = wanted.busy_timeout_ms;
    to.tail_bytes_max = wanted.tail_bytes_max;
    to.conflicts_max = wanted.conflicts_max;
    to.retention_s = wanted.retention_s;
    to.receive_bytes_per_second_max = wanted.receive_bytes_per_second_max;
    if (wanted.policy_count > 0 && wanted.policies == nullptr) return null_argument("policies");
    for (size_t i = 0; i < wanted.policy_count; ++i) {
      if (wanted.policies[i] == nullptr) return null_argument("a policy");
      to.policies.push_back(wanted.policies[i]->policy);
    }
    auto opened = Replica::open(path, to, wanted.create != 0);
    if (!opened.ok()) return opened.status();
    give(out, mycelial_replica{std::move(opened).value()});
    return {};
  });
}

void mycelial_shutdown(mycelial_replica* replica) noexcept {
  if (replica != nullptr) replica->replica->close();
}

void mycelial_close(mycelial_replica* replica) noexcept {
  delete replica;
}

mycelial_code mycelial_track(mycelial_replica* replica, const char* table,
                             mycelial_error* error) noexcept {
  return with(replica, table, "table", error,
              [](Replica& r, const std::string& name) { return r.track(name); });
}

mycelial_code mycelial_untrack(mycelial_replica* replica, const char* table,
                               mycelial_error* error) noexcept {
  return with(replica, table, "table", error,
              [](Replica& r, const std::string& name) { return r.untrack(name); });
}

mycelial_code mycelial_alter(mycelial_replica* replica, const char* sql,
                             mycelial_error* error) noexcept {
  return with(replica, sql, "sql", error,
              [](Replica& r, const std::string& text) { return r.alter(text); });
}

mycelial_code mycelial_untrack_all(mycelial_replica* replica, mycelial_error* error) noexcept {
  return with(replica, error, [](Replica& r) { return r.untrack_all(); });
}

mycelial_code mycelial_track_all(mycelial_replica* replica, mycelial_tables** out,
                                 mycelial_error* error) noexcept {
  return with(replica, error, [&](Replica& r) -> Status {
    auto tables = r.track_all();
    if (!tables.ok()) return tables.status();
    give(out, mycelial_tables{std::move(tables).value()});
    return {};
  });
}

mycelial_code mycelial_listen(mycelial_replica* replica, const char* endpoint,
                              mycelial_text** bound, mycelial_error* error) noexcept {
  return with(replica, endpoint, "endpoint", error, [&](Replica& r, const std::string& name) {
    return give_text(bound, r.listen(name));
  });
}

mycelial_code mycelial_connect(mycelial_replica* replica, const char* endpoint,
                               mycelial_error* error) noexcept {
  return with(replica, endpoint, "endpoint", error,
              [](Replica& r, const std::string& name) { return r.connect(name); });
}

mycelial_code mycelial_sync(mycelial_replica* replica, const char* endpoint, uint32_t timeout_ms,
                            mycelial_progress_fn progress, void* context,
                            void (*destroy)(void* context), mycelial_error* error) noexcept {
  const Context owned(context, destroy);
  return with(replica, endpoint, "endpoint", error, [&](Replica& r, const std::string& name) {
    Replica::Progress tell;
    if (progress != nullptr) {
      tell = [progress, context](std::uint64_t here, std::uint64_t there) {
        progress(context, here, there);
      };
    }
    return r.sync(name, timeout_ms, tell);
  });
}

mycelial_code mycelial_seal(mycelial_replica* replica, mycelial_error* error) noexcept {
  return with(replica, error, [](Replica& r) { return r.seal(); });
}

mycelial_code mycelial_digest(mycelial_replica* replica, mycelial_text** out,
                              mycelial_error* error) noexcept {
  return with(replica, error, [&](Replica& r) -> Status {
    if (out == nullptr) return null_argument("out");
    return give_text(out, r.digest());
  });
}

mycelial_code mycelial_on_change(mycelial_replica* replica, mycelial_change_fn fn, void* context,
                                 void (*destroy)(void* context), mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    const auto owned = own_context(context, destroy);
    if (replica == nullptr) return null_argument("replica");
    if (fn == nullptr) {
      replica->replica->on_change({});
      return {};
    }
    replica->replica->on_change([fn, owned](const ChangeEvent& event) {
      std::vector<const char*> names;
      for (const std::string& table : event.tables) names.push_back(table.c_str());
      const mycelial_change change{sizeof(mycelial_change),
                                   static_cast<std::uint32_t>(names.size()), names.data(),
                                   event.rows};
      fn(owned->get(), &change);
    });
    return {};
  });
}

mycelial_code mycelial_resolve(mycelial_replica* replica, const char* id, uint32_t how,
                               const char* column, const char* value,
                               mycelial_error* error) noexcept {
  return with(replica, id, "id", error, [&](Replica& r, const std::string& name) -> Status {
    if (how < MYCELIAL_RESTORE || how > MYCELIAL_CHANGE) {
      return {Errc::invalid_argument, "how is MYCELIAL_RESTORE, _DISMISS or _CHANGE"};
    }
    Resolution wanted{static_cast<Resolution::Kind>(how), {}, {}};
    if (how == MYCELIAL_CHANGE) {
      if (column == nullptr) return null_argument("column");
      if (value == nullptr) return null_argument("value");
      wanted.column = column;
      wanted.value = value;
    }
    return r.resolve(name, wanted);
  });
}

mycelial_code mycelial_check(mycelial_replica* replica, mycelial_text** out,
                             mycelial_error* error) noexcept {
  return with(replica, error, [&](Replica& r) -> Status {
    if (out == nullptr) return null_argument("out");
    const auto wrong = r.check();
    if (!wrong.ok()) return wrong.status();
    std::string text;
    for (const std::string& line : *wrong) text += line + "\n";
    give(out, mycelial_text{std::move(text)});
    return {};
  });
}

}  // extern "C"
