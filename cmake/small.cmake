# SPDX-License-Identifier: Apache-2.0
# MYCELIAL_SMALL: fewer bytes at the price of build time and of debugging.
if(MYCELIAL_SMALL)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  add_compile_options(-ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections -Wl,--as-needed -s)
endif()
