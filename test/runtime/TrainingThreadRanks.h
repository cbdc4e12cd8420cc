// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranks that are threads of one process.
#ifndef CHIMERA_TEST_RUNTIME_TRAININGTHREADRANKS_H
#define CHIMERA_TEST_RUNTIME_TRAININGTHREADRANKS_H

#include "runtime/train/Communicator.h"

#include <functional>

namespace chimera::train::toy {

/// Runs `body` on `size` threads, each with the communicator of its rank, and returns when all have ended. A rank that
/// ends while others wait for it hangs the test, as it would hang theirs.
void onRanks(int size, const std::function<void(Communicator &ranks)> &body);

} // namespace chimera::train::toy

#endif // CHIMERA_TEST_RUNTIME_TRAININGTHREADRANKS_H
