# SPDX-License-Identifier: Apache-2.0
# libmycelial, twice: the layers and the C interface.
get_property(layers GLOBAL PROPERTY MYCELIAL_LAYERS)
get_property(private_libs GLOBAL PROPERTY MYCELIAL_PRIVATE_LIBS)
set(objects)
foreach(layer ${layers} mycelial_capi)
  list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()

# As a shared library: what mycelial.h declares and MYCELIAL_API marks, nothing else.
add_library(mycelial_shared SHARED ${objects})
target_link_libraries(mycelial_shared PRIVATE ${private_libs})
target_link_options(mycelial_shared PRIVATE -Wl,--gc-sections
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/capi/mycelial.map)
# Before 1.0 each minor version may change the binary interface.
set_target_properties(mycelial_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/capi/mycelial.map
  EXPORT_NAME mycelial)
add_library(mycelial::mycelial ALIAS mycelial_shared)

# As an archive; internal symbols are within reach of the tests, the simulator and the tools.
add_library(mycelial_static STATIC ${objects})
target_link_libraries(mycelial_static PUBLIC ${private_libs})
set_target_properties(mycelial_static PROPERTIES EXPORT_NAME static)
add_library(mycelial::static ALIAS mycelial_static)

foreach(library mycelial_shared mycelial_static)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME mycelial LINKER_LANGUAGE CXX)
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/capi/include>)
  target_compile_features(${library} INTERFACE cxx_std_20)
endforeach()
