// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The ranks of a data-parallel run, and what they say to each other.
#ifndef CHIMERA_RUNTIME_TRAIN_COMMUNICATOR_H
#define CHIMERA_RUNTIME_TRAIN_COMMUNICATOR_H

#include "runtime/core/Error.h"
#include "runtime/device/FloatingPoint.h"

#include <cstdint>
#include <memory>

namespace chimera::train {

using runtime::Failure;
using runtime::Result;

/// What a rank says whose own part is right when another's is not.
inline constexpr char failedElsewhere[] = "another rank has failed";

/// One of P ranks, P a power of two. Every rank makes the same calls in the same order. Sums are by recursive doubling:
/// in round k, ranks that differ in bit k exchange what they have and both take (lower rank's) + (higher rank's). So
/// all have the same bits, and they are those of the pairwise tree that the kernels' sums over leaves follow.
class Communicator {
public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Sums elementwise over ranks, in place.
  virtual Failure sum(float *values, int64_t count) = 0;
  virtual Failure sum(double *values, int64_t count) = 0;
  virtual Failure sum(int64_t *values, int64_t count) = 0;
  /// Gives every rank the bytes of rank 0.
  virtual Failure broadcast(void *bytes, int64_t count) = 0;
  /// Returns when all ranks have called it.
  virtual Failure barrier() = 0;
  /// Ends the other ranks, which might wait for this one forever, after an error that they do not share. The caller
  /// then exits with status 1. With one rank it does nothing.
  virtual void abandon() = 0;
  /// Whether a call has failed. The ranks are then no longer at the same place: nothing is of use but `abandon`.
  virtual bool isLost() const { return false; }

  /// What sums do with subnormals: the same as the kernels whose results they add up.
  runtime::Subnormals subnormals = runtime::Subnormals::Flush;
};

/// A communicator on host memory by pairwise exchange: sums are made of one operation.
class PairwiseCommunicator : public Communicator {
public:
  Failure sum(float *values, int64_t count) final;
  Failure sum(double *values, int64_t count) final;
  Failure sum(int64_t *values, int64_t count) final;

protected:
  /// Sends `bytes` bytes to a rank and receives as many from it.
  virtual Failure exchange(int partner, const void *send, void *receive, int64_t bytes) = 0;

private:
  template <typename T> Failure sumPairwise(T *values, int64_t count);
};

/// The communicator of a process that is alone.
class SingleRank final : public Communicator {
public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Failure sum(float *, int64_t) override { return std::nullopt; }
  Failure sum(double *, int64_t) override { return std::nullopt; }
  Failure sum(int64_t *, int64_t) override { return std::nullopt; }
  Failure broadcast(void *, int64_t) override { return std::nullopt; }
  Failure barrier() override { return std::nullopt; }
  void abandon() override {}
};

/// The communicator of this process: MPI when a launcher (mpirun, srun) started it as one of several, by way of the
/// plugin chimera_mpi.so beside the executable or in ../lib; else SingleRank. Fails when a launcher is there but the
/// plugin is not, MPI does not start, or the number of ranks is not a power of two.
Result<std::unique_ptr<Communicator>> openCommunicator();

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_COMMUNICATOR_H
