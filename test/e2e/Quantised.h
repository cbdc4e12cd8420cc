// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights of eight or four bits, stated a second time for the tests.
#ifndef CHIMERA_TEST_E2E_QUANTISED_H
#define CHIMERA_TEST_E2E_QUANTISED_H

#include "test/support/RandomModel.h"

#include <string>

namespace chimera::test {

/// Rounds a matrix [out, in] in place as `--weights` keeps it: for each output and 32 inputs beside each other w
/// becomes q 2^e, with q = w / 2^e to the nearest whole number, ties to the even one. int8: e is the smallest for which
/// max|w| <= 127 2^e. int4: |q| <= 7, and e is the smallest for which max|w| <= 7.5 2^e, or the one below if the sum of
/// squared errors is smaller there, each error being rounded to 1024ths of its 2^e.
void roundTo(const std::string &weights, Tensor &matrix);

/// The same for all that such a binary of the model quantises: the weights of every linear layer but the routers'. A
/// tied model, whose embedding stays exact, becomes one with an lm_head of its own.
RandomModel withQuantisedWeights(const RandomModel &model, const std::string &weights);

} // namespace chimera::test

#endif
