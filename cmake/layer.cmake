# SPDX-License-Identifier: Apache-2.0
# mycelial_layer(NAME SOURCES file... [USES layer...] [PRIVATE_LIBS target...])
# One object library per layer. A layer sees the headers of the layers it USES; the foreign
# libraries it hides are linked PRIVATE, so that a wrong include does not compile elsewhere.
function(mycelial_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PRIVATE_LIBS" ${ARGN})
  add_library(mycelial_${name} OBJECT ${arg_SOURCES})
  target_include_directories(mycelial_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
                             ${PROJECT_SOURCE_DIR}/lib)
  list(TRANSFORM arg_USES PREPEND mycelial_)
  target_link_libraries(mycelial_${name} PUBLIC ${arg_USES}
                        PRIVATE mycelial_warnings ${arg_PRIVATE_LIBS})
  mycelial_precompile(mycelial_${name} layers)
  set_property(GLOBAL APPEND PROPERTY MYCELIAL_LAYERS mycelial_${name})
  set_property(GLOBAL APPEND PROPERTY MYCELIAL_PRIVATE_LIBS ${arg_PRIVATE_LIBS})
endfunction()
