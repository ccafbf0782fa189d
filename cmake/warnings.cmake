# SPDX-License-Identifier: Apache-2.0
add_library(mycelial_warnings INTERFACE)
target_compile_options(mycelial_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
                       $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
# GCC 12 reports overlaps that cannot be when it inlines std::string (GCC bug 105329).
target_compile_options(mycelial_warnings INTERFACE
                       $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
if(MYCELIAL_WERROR)
  target_compile_options(mycelial_warnings INTERFACE -Werror)
endif()
