# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What `cmake --install` puts where. The installed tree may be moved: nothing in it names the prefix.
#
# Components, for `cmake --install BUILD --component NAME`:
#   runtime      what a machine needs that runs models, without LLVM: chimera-run and chimera-serve with their helper,
#                chimera-inspect, libchimera.so.N
#   development  what a program needs that embeds a model: the header, libchimera.so, the CMake package, chimera.pc
#   tools        what makes models: the compiler and its tools, training, measuring
#   python       the Python package, where one is built (python/CMakeLists.txt)
#   documentation  the pages and the example program
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(CHIMERA_INSTALL_PLUGINDIR ${CMAKE_INSTALL_LIBDIR}/chimera)
set(CHIMERA_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/chimera)
set(CHIMERA_MAN_FOLDER ${CMAKE_BINARY_DIR}/man1)

# Libraries from outside the system's folders (Debian's libMLIR.so) are found where they were linked.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

# Installs a program with its man page (docs/CMakeLists.txt makes it) and its completion for bash.
function(chimera_install_tool tool component)
  install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${component})
  install(FILES ${CHIMERA_MAN_FOLDER}/${tool}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${component})
  install(FILES ${PROJECT_SOURCE_DIR}/tools/support/completion.bash RENAME ${tool}
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT ${component})
  set_property(GLOBAL APPEND PROPERTY CHIMERA_INSTALLED_TOOLS ${tool})
endfunction()

# Installs the shared library, its header, and what lets CMake and pkg-config find both.
function(chimera_install_library library header)
  install(TARGETS ${library} EXPORT chimera-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
  install(EXPORT chimera-targets NAMESPACE chimera:: DESTINATION ${CHIMERA_INSTALL_CMAKEDIR} COMPONENT development)

  # While the first number is 0, the second one changes when programs have to.
  set(version ${PROJECT_BINARY_DIR}/chimera-config-version.cmake)
  write_basic_package_version_file(${version} VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/chimera-config.cmake ${version}
    DESTINATION ${CHIMERA_INSTALL_CMAKEDIR} COMPONENT development)

  file(RELATIVE_PATH CHIMERA_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  file(RELATIVE_PATH CHIMERA_PC_INCLUDE ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/chimera.pc.in ${PROJECT_BINARY_DIR}/chimera.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/chimera.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()
