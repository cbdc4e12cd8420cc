# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Warnings and sanitizers shared by every target.
add_compile_options(-Wall -Wextra -Wno-unused-parameter)
if(CHIMERA_SANITIZE)
  # vptr needs RTTI of LLVM's classes; function reads the bytes before a called function, which code made at run time
  # may not have.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr,function -fno-omit-frame-pointer
    -fno-sanitize-recover=undefined)
  # Without any optimisation what the sanitizers add makes the tests several times slower. Their messages need the lines
  # of the source, not the variables, which would make the libraries three times as large.
  add_compile_options(-O1 -gline-tables-only)
  add_link_options(-fsanitize=address,undefined)
endif()
