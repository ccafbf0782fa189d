# SPDX-License-Identifier: Apache-2.0
# Known everywhere, so that a project that adds ours as a folder can link the archive.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.81 REQUIRED)
include(sqlite)
pkg_check_modules(B2 REQUIRED IMPORTED_TARGET GLOBAL libb2)
