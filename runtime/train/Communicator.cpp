// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Communicator.h"

#include "runtime/train/MpiCommunicator.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace chimera::train {

using runtime::Error;

template <typename T> Failure PairwiseCommunicator::sumPairwise(T *values, int64_t count) {
  constexpr int64_t piece = int64_t(1) << 18; // Elements: what is received fits the cache.
  runtime::KernelFloatingPoint mode(subnormals);
  std::vector<T> received(size_t(std::min(piece, count)));
  for (int distance = 1; distance < size(); distance *= 2) {
    int partner = rank() ^ distance;
    bool isLower = rank() < partner;
    for (int64_t begin = 0; begin < count; begin += piece) {
      int64_t length = std::min(piece, count - begin);
      T *own = values + begin;
      if (Failure failure = exchange(partner, own, received.data(), length * int64_t(sizeof(T))))
        return failure;
      for (int64_t i = 0; i < length; ++i)
        own[i] = isLower ? own[i] + received[size_t(i)] : received[size_t(i)] + own[i];
    }
  }
  return std::nullopt;
}

Failure PairwiseCommunicator::sum(float *values, int64_t count) {
  return sumPairwise(values, count);
}

Failure PairwiseCommunicator::sum(double *values, int64_t count) {
  return sumPairwise(values, count);
}

Failure PairwiseCommunicator::sum(int64_t *values, int64_t count) {
  return sumPairwise(values, count);
}

/// How many processes a launcher says that it started; 0: there is none.
static int64_t launchedRanks() {
  for (const char *name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS"})
    if (const char *value = std::getenv(name))
      return std::strtoll(value, nullptr, 10);
  return 0;
}

Result<std::unique_ptr<Communicator>> openCommunicator() {
  int64_t launched = launchedRanks();
  if (launched <= 1)
    return std::unique_ptr<Communicator>(std::make_unique<SingleRank>());
  Result<std::unique_ptr<Communicator>> ranks = openMpi();
  if (!ranks)
    return Error("a launcher started " + std::to_string(launched) + " processes, but " + ranks.error().message);
  int size = (*ranks)->size();
  if (size & (size - 1)) {
    // All ranks find the same, so none waits for another.
    return Error("the number of ranks must be a power of two, is " + std::to_string(size));
  }
  return ranks;
}

} // namespace chimera::train
