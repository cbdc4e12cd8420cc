# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# cmake -D SOURCE=... -D TBLGEN=... -D MLIR_INCLUDE=... -D OUT=... [-D COMPARE=...] -P generate.cmake
# Writes OUT/dialect.md and OUT/passes.md from the ODS files; with COMPARE, fails when COMPARE's pages differ.

# Appends the documentation that mlir-tblgen makes of a file of SOURCE to the variable `page`.
function(append_docs file)
  execute_process(COMMAND ${TBLGEN} ${ARGN} -I ${SOURCE} -I ${MLIR_INCLUDE} ${SOURCE}/${file}
    OUTPUT_VARIABLE text ERROR_VARIABLE message RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "mlir-tblgen failed on ${file}: ${message}")
  endif()
  # Trailing blanks are noise in a committed file.
  string(REGEX REPLACE "[ \t]+\n" "\n" text "${text}")
  string(REPLACE "[TOC]\n\n" "" text "${text}")
  set(page "${page}${text}" PARENT_SCOPE)
endfunction()

function(write_page name)
  file(WRITE ${OUT}/${name} "${page}")
  if(COMPARE)
    execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${OUT}/${name} ${COMPARE}/${name} RESULT_VARIABLE status
      ERROR_QUIET)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "docs/${name} is not what the ODS files say: run `ninja chimera-docs` and commit it")
    endif()
  endif()
endfunction()

set(page "")
append_docs(dialect/IR/ChimeraOps.td -gen-dialect-doc -dialect=chimera)
string(APPEND page "\n")
append_docs(dialect/IR/ChimeraInterfaces.td -gen-op-interface-docs)
append_docs(dialect/IR/ChimeraInterfaces.td -gen-type-interface-docs)
write_page(dialect.md)

set(page "# Passes\n\n")
append_docs(passes/Passes.td -gen-pass-doc)
write_page(passes.md)
