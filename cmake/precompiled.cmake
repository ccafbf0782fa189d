# SPDX-License-Identifier: Apache-2.0
# With MYCELIAL_PCH the standard headers are parsed once for the layers and once for the tests, for
# builds without a cache of objects.
function(mycelial_precompile target kind)
  if(NOT MYCELIAL_PCH)
    return()
  endif()
  if(NOT TARGET mycelial_pch_${kind})
    file(WRITE ${PROJECT_BINARY_DIR}/pch_${kind}.cpp "int main() { return 0; }\n")
    set(headers <algorithm> <cstdint> <deque> <filesystem> <fstream> <functional> <map> <memory>
      <optional> <random> <set> <string> <string_view> <unordered_map> <utility> <vector>)
    if(kind STREQUAL tests)
      add_executable(mycelial_pch_tests ${PROJECT_BINARY_DIR}/pch_tests.cpp)
      target_link_libraries(mycelial_pch_tests PRIVATE GTest::gtest mycelial_warnings)
      mycelial_test_code(mycelial_pch_tests)
      list(APPEND headers <gtest/gtest.h>)
    else()
      add_library(mycelial_pch_${kind} OBJECT ${PROJECT_BINARY_DIR}/pch_${kind}.cpp)
      target_link_libraries(mycelial_pch_${kind} PRIVATE mycelial_warnings)
    endif()
    target_precompile_headers(mycelial_pch_${kind} PRIVATE ${headers})
  endif()
  target_precompile_headers(${target} REUSE_FROM mycelial_pch_${kind})
endfunction()
