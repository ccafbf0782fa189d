# SPDX-License-Identifier: Apache-2.0
# The tests are many programs that hold the same library: with a fast linker they are there in a
# tenth of the time. Taken if it is installed.
set(MYCELIAL_LINKER "" CACHE STRING
    "Linker to use if it is there, such as mold; empty: the compiler's own")
if(MYCELIAL_LINKER)
  find_program(MYCELIAL_LINKER_PROGRAM "${MYCELIAL_LINKER}")
  if(MYCELIAL_LINKER_PROGRAM)
    add_link_options("-fuse-ld=${MYCELIAL_LINKER}")
  endif()
endif()
