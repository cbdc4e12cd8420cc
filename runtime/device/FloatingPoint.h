// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The floating-point mode that kernels expect.
#ifndef CHIMERA_RUNTIME_DEVICE_FLOATINGPOINT_H
#define CHIMERA_RUNTIME_DEVICE_FLOATINGPOINT_H

#include <xmmintrin.h>

namespace chimera::runtime {

/// What happens to numbers below the smallest normal one. Kernels for CPUs are made for a processor that takes them as
/// zeros; a GPU keeps them, and so must whatever has its bits.
enum class Subnormals { Flush, Keep };

/// Sets, for its lifetime, this thread's MXCSR to what kernels expect: round to nearest, every exception masked, and
/// flush to zero with denormals are zero, or neither. Then restores what was there, sticky flags included.
class KernelFloatingPoint {
public:
  explicit KernelFloatingPoint(Subnormals subnormals = Subnormals::Flush) : saved(_mm_getcsr()) {
    _mm_setcsr(subnormals == Subnormals::Flush ? mode : keeping);
  }
  ~KernelFloatingPoint() { _mm_setcsr(saved); }
  KernelFloatingPoint(const KernelFloatingPoint &) = delete;
  KernelFloatingPoint &operator=(const KernelFloatingPoint &) = delete;

  /// Bits 7-12 mask the exceptions, 13-14 round (0: to nearest), 15 flushes to zero, 6 takes denormals as zero.
  static constexpr unsigned keeping = 0x1F80u;
  static constexpr unsigned mode = keeping | 0x8000u | 0x0040u;

private:
  unsigned saved;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_FLOATINGPOINT_H
