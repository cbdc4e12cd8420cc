// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on the cpu target: what works row by row, sums over rows, and the optimizer.

#include "passes/TrainingCpuCalls.h"

using namespace mlir;
using namespace chimera;

bool TrainingCpuCalls::lowerRowwise(Operation *) {
  return false;
}
