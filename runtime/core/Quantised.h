// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints whose weights are quantised, which are not read: told by the tensors that stand in the place of a weight
// or beside it.
#ifndef CHIMERA_RUNTIME_CORE_QUANTISED_H
#define CHIMERA_RUNTIME_CORE_QUANTISED_H

#include "runtime/io/Safetensors.h"

#include <string>

namespace chimera::runtime {

/// If the tensor `name` is quantised in the checkpoint, a text that says by what, and what to do: "is quantised (GPTQ:
/// 'x.qweight'), which is not read: take ...". Empty if it is not, be the tensor there or not.
std::string quantised(const io::Checkpoint &checkpoint, const std::string &name);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_QUANTISED_H
