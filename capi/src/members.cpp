// SPDX-License-Identifier: Apache-2.0
// Members of the fleet.
#include "handles.hpp"

using namespace mycelial;
using namespace mycelial::capi;

extern "C" {

mycelial_code mycelial_get_members(mycelial_replica* replica, mycelial_members** out,
                                   mycelial_error* error) noexcept {
  return open_cursor(replica, out, error, [](Replica& r) { return r.members(); });
}

int mycelial_members_next(mycelial_members* cursor, mycelial_member* out) noexcept {
  return next_of(cursor, out, [](const MemberInfo& from) {
    mycelial_member entry{};
    entry.is_self = from.is_self ? 1 : 0;
    entry.holds_back = from.holds_back ? 1 : 0;
    entry.forgotten = from.forgotten ? 1 : 0;
    entry.silent_s = from.silent_s;
    entry.lacks_sets = from.lacks_sets;
    entry.site = from.site.c_str();
    entry.last_heard = from.last_heard.c_str();
    return entry;
  });
}

void mycelial_members_free(mycelial_members* cursor) noexcept {
  delete cursor;
}

mycelial_code mycelial_forget(mycelial_replica* replica, const char* site,
                              mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    if (site == nullptr) return null_argument("site");
    return replica->replica->forget(site);
  });
}

}  // extern "C"
