// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stack to call functions on, beside the one of the calling thread.
#ifndef CHIMERA_RUNTIME_DEVICE_JOBSTACK_H
#define CHIMERA_RUNTIME_DEVICE_JOBSTACK_H

#include "runtime/core/Error.h"

#include <cstddef>

namespace chimera::runtime {

/// Kernels keep their scratch memory on the stack, and how much of it they need grows with the model, while a program
/// that embeds one may call from a thread or a fiber with little. Nobody can portably ask how much is left, so whatever
/// a caller has, its part of a job runs here.
class JobStack {
public:
  /// What there is beside a job's own frames: for the runtime's, and for the handler of a signal that comes meanwhile.
  static constexpr size_t headroom = size_t(256) << 10;

  /// A stack for functions that take `bytes`, and `headroom` more; below it lies a page that nobody may touch. Takes
  /// addresses; memory comes as it is used.
  static Result<JobStack> create(size_t bytes);
  JobStack(JobStack &&other) noexcept : mapping(other.mapping), size(other.size) { other.mapping = nullptr; }
  JobStack &operator=(JobStack &&other) = delete;
  ~JobStack();

  /// Calls function(context) on this stack; what it throws passes through. One call at a time.
  void call(void (*function)(void *), void *context) const;

private:
  JobStack(void *mapping, size_t size) : mapping(mapping), size(size) {}

  void *mapping;
  size_t size;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_JOBSTACK_H
