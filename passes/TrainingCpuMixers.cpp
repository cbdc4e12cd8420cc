// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training on the cpu target: attention, convolution and scans.

#include "passes/TrainingCpuCalls.h"

using namespace mlir;
using namespace chimera;

bool TrainingCpuCalls::lowerMixer(Operation *) {
  return false;
}
