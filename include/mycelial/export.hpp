// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks what a shared libmycelial exports; everything else is hidden.
#define MYCELIAL_API [[gnu::visibility("default")]]
