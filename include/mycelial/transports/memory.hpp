// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "mycelial/transport.hpp"

namespace mycelial {

/// Links between replicas of one process: `memory://NAME`. Every transport made by this function
/// shares one namespace of names. Threads: a background thread per transport delivers messages.
MYCELIAL_API std::unique_ptr<Transport> make_memory_transport();

}  // namespace mycelial
