# SPDX-License-Identifier: Apache-2.0
if(MYCELIAL_SANITIZER)
  add_compile_options(-fsanitize=${MYCELIAL_SANITIZER} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MYCELIAL_SANITIZER})
endif()
