# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

# chimera_page(SOURCE NAME FOLDER TITLE PARTS...): sets SOURCE to a C++ file that defines chimera::NAME, an
# io::HtmlTemplate (runtime/io/HtmlPage.h) with this title. Its body, style and script are FOLDER/page.html, page.css and
# page.js; before the latter two stand those of the PARTS that it shares with other pages, runtime/io/page/PART.css and
# PART.js.
function(chimera_page source page_name folder page_title)
  file(RELATIVE_PATH page_folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
  set(own ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/page)
  set(shared ${CMAKE_SOURCE_DIR}/runtime/io/page)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shared}/frame.html ${own}.html)
  file(READ ${shared}/frame.html frame)
  file(READ ${own}.html page_body)
  string(CONFIGURE "${frame}" page_html @ONLY)
  foreach(kind css js)
    set(page_${kind} "")
    set(files)
    set(own_file ${own}.${kind})
    foreach(part IN LISTS ARGN)
      list(APPEND files ${shared}/${part}.${kind})
    endforeach()
    foreach(file IN LISTS files own_file)
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
      file(READ ${file} text)
      string(APPEND page_${kind} "${text}")
    endforeach()
  endforeach()
  configure_file(${CMAKE_SOURCE_DIR}/cmake/Page.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/${page_name}.cpp @ONLY)
  set(${source} ${CMAKE_CURRENT_BINARY_DIR}/${page_name}.cpp PARENT_SCOPE)
endfunction()
