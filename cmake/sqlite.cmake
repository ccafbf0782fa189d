# SPDX-License-Identifier: Apache-2.0
# SQLite::SQLite3: the target that a surrounding project has, or sources that were given, or what is
# installed. One copy per process: SQLite's locks do not work between two (docs/threading.md), so
# what is built here is a shared library, for us and for whoever links with us.
if(MYCELIAL_SQLITE_AMALGAMATION AND NOT TARGET SQLite::SQLite3)
  set(amalgamation ${MYCELIAL_SQLITE_AMALGAMATION})
  foreach(file sqlite3.c sqlite3.h)
    if(NOT EXISTS ${amalgamation}/${file})
      message(FATAL_ERROR "MYCELIAL_SQLITE_AMALGAMATION: there is no ${file} in ${amalgamation}; "
                          "give the folder of an amalgamation of SQLite")
    endif()
  endforeach()
  add_library(mycelial_sqlite SHARED ${amalgamation}/sqlite3.c)
  target_include_directories(mycelial_sqlite SYSTEM PUBLIC $<BUILD_INTERFACE:${amalgamation}>)
  target_compile_definitions(mycelial_sqlite PRIVATE SQLITE_THREADSAFE=1 SQLITE_ENABLE_FTS5
    SQLITE_ENABLE_FTS4 SQLITE_ENABLE_RTREE SQLITE_ENABLE_MATH_FUNCTIONS
    SQLITE_ENABLE_COLUMN_METADATA SQLITE_ENABLE_SESSION SQLITE_ENABLE_PREUPDATE_HOOK
    SQLITE_ENABLE_DBSTAT_VTAB)
  target_compile_options(mycelial_sqlite PRIVATE -w)
  target_link_libraries(mycelial_sqlite PRIVATE Threads::Threads m ${CMAKE_DL_LIBS})
  set_target_properties(mycelial_sqlite PROPERTIES
    OUTPUT_NAME mycelial_sqlite3 C_VISIBILITY_PRESET default)
  add_library(SQLite::SQLite3 ALIAS mycelial_sqlite)
elseif(NOT TARGET SQLite::SQLite3)
  find_package(SQLite3 3.38 REQUIRED)
endif()
