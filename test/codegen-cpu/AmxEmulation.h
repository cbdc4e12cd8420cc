// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tile unit by functions: for tests on machines that have none.
#ifndef CHIMERA_TEST_CODEGENCPU_AMXEMULATION_H
#define CHIMERA_TEST_CODEGENCPU_AMXEMULATION_H

#include "mlir/IR/BuiltinOps.h"

namespace chimera::cpu::test {

/// Turns every call of a tile intrinsic in a module of kernels into a call of a function that does what the
/// instruction is documented to do (Intel, Instruction Set Reference: LDTILECFG, TILELOADD, TILESTORED, TDPBF16PS,
/// TILERELEASE), on tiles in the module's memory. Without a configuration a tile has no rows. Returns how many calls
/// it turned.
int64_t emulateTiles(mlir::ModuleOp kernels);

} // namespace chimera::cpu::test

#endif // CHIMERA_TEST_CODEGENCPU_AMXEMULATION_H
