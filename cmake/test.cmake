# SPDX-License-Identifier: Apache-2.0
include(GoogleTest)
find_package(GTest REQUIRED)

# With sanitizers the code under test is optimised; to optimise its tests takes longer than to run
# them.
function(mycelial_test_code target)
  if(MYCELIAL_SANITIZER)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# mycelial_test_library(NAME SOURCES file... [LIBS target...])
# What several test programs share.
function(mycelial_test_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC mycelial_static GTest::gtest ${arg_LIBS}
                        PRIVATE mycelial_warnings)
  mycelial_test_code(${name})
endfunction()

# mycelial_test(NAME SOURCES file... [LIBS target...] [LABELS label...])
# A GoogleTest program; its cases become ctest tests.
function(mycelial_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE mycelial_static mycelial_warnings GTest::gtest_main
                        ${arg_LIBS})
  mycelial_test_code(${name})
  mycelial_precompile(${name} tests)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 300)
endfunction()
