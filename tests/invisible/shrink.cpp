// SPDX-License-Identifier: Apache-2.0
#include "tests/invisible/shrink.hpp"

#include <algorithm>

namespace mycelial::invisible {

Script shrink(Script script, const std::function<bool(const Script&)>& fails, int tries) {
  for (std::size_t size = std::max<std::size_t>(script.size() / 2, 1); tries > 0;) {
    bool any = false;
    // From the back: what comes later needs what comes earlier.
    for (std::size_t end = script.size(); end > 0 && tries > 0;) {
      const auto begin = end > size ? end - size : 0;
      Script shorter(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(begin));
      shorter.insert(shorter.end(), script.begin() + static_cast<std::ptrdiff_t>(end),
                     script.end());
      --tries;
      if (fails(shorter)) {
        script = std::move(shorter);
        any = true;
      }
      end = begin;
    }
    if (size == 1 && !any) break;
    if (!any || size > 1) size = std::max<std::size_t>(size / 2, 1);
  }
  return script;
}

}  // namespace mycelial::invisible
