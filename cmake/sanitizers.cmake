# SPDX-License-Identifier: Apache-2.0
if(MYCELIAL_SANITIZER)
  add_compile_options(-fsanitize=${MYCELIAL_SANITIZER} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  if(MYCELIAL_SANITIZER MATCHES address)
    add_compile_options(-fno-sanitize=null)  # A fault, which the other one reports; builds faster.
  endif()
  add_link_options(-fsanitize=${MYCELIAL_SANITIZER})
  if(MYCELIAL_SANITIZER MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Boost.Asio uses fences, which GCC's thread sanitizer does not model.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
  endif()
endif()
