// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Model IR with a rounding too many or too few, to show that a test would see it.
#ifndef CHIMERA_TEST_E2E_MUTATION_H
#define CHIMERA_TEST_E2E_MUTATION_H

#include <string>

namespace chimera::test {

/// The IR of the model level with the first result of every op, other than a parameter, whose line contains
/// `marker` rounded to bf16 and back to
/// f32 before anything reads it. Throws std::runtime_error if there is no such op.
std::string withRounding(const std::string &ir, const std::string &marker);

/// The IR of a bf16 model with the linear layers of the parameter whose name ends in `weight` read unrounded inputs, in
/// f32, as they read the weights (the same numbers). Throws std::runtime_error if there is none.
std::string withoutRounding(const std::string &ir, const std::string &weight);

} // namespace chimera::test

#endif
