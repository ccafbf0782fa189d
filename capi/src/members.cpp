// SPDX-License-Identifier: Apache-2.0
// Members of the fleet.
#include "handles.hpp"

using namespace mycelial;
using namespace mycelial::capi;

extern "C" {

mycelial_code mycelial_get_members(mycelial_replica* replica, mycelial_members** out,
                                   mycelial_error* error) noexcept {
  return guard(error, [&]() -> Status {
    if (replica == nullptr) return null_argument("replica");
    if (out == nullptr) return null_argument("out");
    auto members = replica->replica->members();
    if (!members.ok()) return members.status();
    give(out, mycelial_members{std::move(members).value(), 0});
    return {};
  });
}

int mycelial_members_next(mycelial_members* cursor, mycelial_member* out) noexcept {
  if (cursor == nullptr || out == nullptr || cursor->next >= cursor->all.size()) return 0;
  const MemberInfo& m = cursor->all[cursor->next];
  mycelial_member member{};
  member.struct_size = sizeof member;
  member.is_self = m.is_self ? 1 : 0;
  member.holds_back = m.holds_back ? 1 : 0;
  member.forgotten = m.forgotten ? 1 : 0;
  member.silent_s = m.silent_s;
  member.lacks_sets = m.lacks_sets;
  member.site = m.site.c_str();
  member.last_heard = m.last_heard.c_str();
  if (fill_sized(out, member) != MYCELIAL_OK) return 0;
  ++cursor->next;
  return 1;
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
