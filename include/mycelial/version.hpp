// SPDX-License-Identifier: Apache-2.0
#pragma once

#define MYCELIAL_VERSION_MAJOR 0
#define MYCELIAL_VERSION_MINOR 1
#define MYCELIAL_VERSION_PATCH 0
#define MYCELIAL_VERSION "0.1.0"
