# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# LLVM, MLIR and lld 19 from Debian's packages. Debian 12 also has LLVM 14 first in PATH, so the prefix is pinned.
set(CHIMERA_LLVM_PREFIX /usr/lib/llvm-19 CACHE PATH "where LLVM 19 is installed")
find_package(MLIR 19.1 REQUIRED CONFIG HINTS ${CHIMERA_LLVM_PREFIX}/lib/cmake/mlir NO_DEFAULT_PATH)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
# Debian's MLIRConfig gives bare names; absolute ones do not depend on PATH.
set(MLIR_TABLEGEN_EXE ${LLVM_TOOLS_BINARY_DIR}/mlir-tblgen)
set(LLVM_TABLEGEN_EXE ${LLVM_TOOLS_BINARY_DIR}/llvm-tblgen)
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# What a target needs that includes LLVM or MLIR. Shared libraries only: mixing libMLIR.so with the static archives
# registers everything twice.
add_library(chimera_mlir INTERFACE)
target_include_directories(chimera_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
separate_arguments(CHIMERA_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(chimera_mlir INTERFACE ${CHIMERA_LLVM_DEFINITIONS} -fno-exceptions)
target_link_libraries(chimera_mlir INTERFACE MLIR LLVM)
if(CHIMERA_SANITIZE)
  target_sources(chimera_mlir INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${CMAKE_CURRENT_LIST_DIR}/SanitizerOptions.cpp>)
endif()

# lld as a library: only archives exist, and their imported targets would drag in static LLVM.
add_library(chimera_lld INTERFACE)
target_include_directories(chimera_lld SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_libraries(chimera_lld INTERFACE
  ${CHIMERA_LLVM_PREFIX}/lib/liblldELF.a ${CHIMERA_LLVM_PREFIX}/lib/liblldCommon.a LLVM z zstd)
