// SPDX-License-Identifier: Apache-2.0
// The whole public C++ interface.
#pragma once

#include "mycelial/environment.hpp"
#include "mycelial/merge_policy.hpp"
#include "mycelial/replica.hpp"
#include "mycelial/status.hpp"
#include "mycelial/transport.hpp"
#include "mycelial/transports/memory.hpp"
#include "mycelial/transports/tcp.hpp"
#include "mycelial/version.hpp"
