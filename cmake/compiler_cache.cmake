# SPDX-License-Identifier: Apache-2.0
# Compiles through ccache where it is installed, unless the user chose a launcher.
find_program(MYCELIAL_CCACHE ccache)
mark_as_advanced(MYCELIAL_CCACHE)
foreach(language C CXX)
  if(MYCELIAL_CCACHE AND NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${MYCELIAL_CCACHE})
  endif()
endforeach()
