# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Warnings and sanitizers shared by every target.
add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(CHIMERA_SANITIZE)
  # vptr needs RTTI of LLVM's classes; function reads the bytes before a called function, which code made at run time
  # may not have.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr,function -fno-omit-frame-pointer
    -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
