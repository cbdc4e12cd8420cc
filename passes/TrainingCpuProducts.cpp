// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on the cpu target: matrix products and the loss.

#include "passes/TrainingCpuCalls.h"

using namespace mlir;
using namespace chimera;

bool TrainingCpuCalls::lowerProduct(Operation *) {
  return false;
}
