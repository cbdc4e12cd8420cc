# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The text tests (lit and FileCheck) as one ctest test, `lit`; tools/check counts its files one by one.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(CHIMERA_LIT ${CHIMERA_LLVM_PREFIX}/build/utils/lit/lit.py CACHE FILEPATH "lit, from Debian's llvm-19-tools")
configure_file(${CMAKE_CURRENT_LIST_DIR}/lit.site.cfg.py.in ${CMAKE_BINARY_DIR}/test/lit/lit.site.cfg.py @ONLY)
add_test(NAME lit COMMAND ${Python3_EXECUTABLE} ${CHIMERA_LIT} -v ${CMAKE_BINARY_DIR}/test/lit)

# For work on one suite: ninja check-lit.
add_custom_target(check-lit
  COMMAND ${Python3_EXECUTABLE} ${CHIMERA_LIT} -sv ${CMAKE_BINARY_DIR}/test/lit
  USES_TERMINAL VERBATIM)
foreach(tool chimera-opt chimera-bench chimera-compile chimera-run chimera-inspect chimera-init chimera-train
        chimera-train-tokenizer)
  if(TARGET ${tool})
    add_dependencies(check-lit ${tool})
  endif()
endforeach()
