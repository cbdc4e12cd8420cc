# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# For find_package(chimera): the target chimera::chimera, libchimera.so with its header.
include(${CMAKE_CURRENT_LIST_DIR}/chimera-targets.cmake)
