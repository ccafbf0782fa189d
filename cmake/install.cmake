# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` copies: the command, the headers, both libraries, and what CMake and
# pkg-config need to find them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/mycelial)

if(MYCELIAL_TOOLS)
  install(TARGETS mycelial_cli RUNTIME)
endif()
install(DIRECTORY include/ capi/include/ TYPE INCLUDE)
install(FILES LICENSE TYPE DOC)
install(TARGETS mycelial_shared EXPORT shared INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT shared NAMESPACE mycelial:: FILE mycelial-shared.cmake DESTINATION ${package})
if(TARGET mycelial_sqlite)
  install(TARGETS mycelial_sqlite EXPORT shared LIBRARY)
  set_target_properties(mycelial_shared PROPERTIES INSTALL_RPATH $ORIGIN)
  if(MYCELIAL_TOOLS)
    set_target_properties(mycelial_cli PROPERTIES INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
  endif()
# Objects made for link-time optimisation suit one compiler alone.
elseif(NOT MYCELIAL_SMALL)
  install(TARGETS mycelial_static EXPORT static INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT static NAMESPACE mycelial:: FILE mycelial-static.cmake DESTINATION ${package})
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/mycelial-config.cmake.in
  ${PROJECT_BINARY_DIR}/mycelial-config.cmake INSTALL_DESTINATION ${package}
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 each minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mycelial-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mycelial-config.cmake
  ${PROJECT_BINARY_DIR}/mycelial-config-version.cmake DESTINATION ${package})

# The file finds its folder by itself, so that a tree that is moved as a whole still works.
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" prefix_from_pc ${prefix_from_pc})
configure_file(${PROJECT_SOURCE_DIR}/cmake/mycelial.pc.in ${PROJECT_BINARY_DIR}/mycelial.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mycelial.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
