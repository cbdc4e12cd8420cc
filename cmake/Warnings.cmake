# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Warnings and sanitizers shared by every target.
add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(CHIMERA_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
