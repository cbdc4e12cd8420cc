// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A checkpoint of initial weights, made on many threads.
#ifndef CHIMERA_RUNTIME_TRAIN_INITIALFILE_H
#define CHIMERA_RUNTIME_TRAIN_INITIALFILE_H

#include "runtime/io/Result.h"
#include "runtime/train/Initialise.h"

#include <cstdint>
#include <string>

namespace chimera::runtime {
class ThreadPool;
} // namespace chimera::runtime

namespace chimera {

/// Makes the weights of `checkpoint` on the pool's threads and writes them as a safetensors file of f32, piece by
/// piece: no tensor is ever in memory as a whole. The metadata names the seed. The file does not depend on the number
/// of threads. The pool must keep subnormals.
io::Status writeInitialCheckpoint(const std::string &path, const InitialCheckpoint &checkpoint, uint64_t seed,
                                  runtime::ThreadPool &pool);

} // namespace chimera

#endif // CHIMERA_RUNTIME_TRAIN_INITIALFILE_H
