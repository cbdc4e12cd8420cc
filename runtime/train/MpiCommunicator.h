// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef CHIMERA_RUNTIME_TRAIN_MPICOMMUNICATOR_H
#define CHIMERA_RUNTIME_TRAIN_MPICOMMUNICATOR_H

#include "runtime/train/Communicator.h"

namespace chimera::train {

/// Loads chimera_mpi.so from the executable's folder, or ../lib beside it, and starts MPI. Once a process.
Result<std::unique_ptr<Communicator>> openMpi();

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_MPICOMMUNICATOR_H
