# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

# chimera_page(SOURCE NAME FOLDER): sets SOURCE to a C++ file that defines chimera::NAME, an io::HtmlTemplate
# (runtime/io/HtmlPage.h) of FOLDER/page.html, page.css and page.js.
function(chimera_page source page_name folder)
  file(RELATIVE_PATH page_folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
  foreach(part html css js)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/page.${part})
    file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/page.${part} page_${part})
  endforeach()
  configure_file(${CMAKE_SOURCE_DIR}/cmake/Page.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/${page_name}.cpp @ONLY)
  set(${source} ${CMAKE_CURRENT_BINARY_DIR}/${page_name}.cpp PARENT_SCOPE)
endfunction()
