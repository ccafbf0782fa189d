add_library(mycelial_warnings INTERFACE)
target_compile_options(mycelial_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
                       $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
if(MYCELIAL_WERROR)
  target_compile_options(mycelial_warnings INTERFACE -Werror)
endif()
