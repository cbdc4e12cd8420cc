// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights as eight bits, stated a second time for the tests.
#ifndef CHIMERA_TEST_E2E_INT8_H
#define CHIMERA_TEST_E2E_INT8_H

#include "test/support/RandomModel.h"

namespace chimera::test {

/// Rounds a matrix [out, in] in place: for each output and 32 inputs beside each other w becomes q 2^e, with e the
/// smallest for which max|w| <= 127 2^e, and q = w / 2^e to the nearest whole number, ties to the even one.
void roundToInt8(Tensor &matrix);

/// The same for all that an int8 binary of the model keeps in eight bits: the weights of every linear layer but the
/// routers'. A tied model, whose embedding stays exact, becomes one with an lm_head of its own.
RandomModel withInt8Weights(const RandomModel &model);

} // namespace chimera::test

#endif
