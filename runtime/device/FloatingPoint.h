// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The floating-point mode that kernels expect.
#ifndef CHIMERA_RUNTIME_DEVICE_FLOATINGPOINT_H
#define CHIMERA_RUNTIME_DEVICE_FLOATINGPOINT_H

#include <xmmintrin.h>

namespace chimera::runtime {

/// Sets, for its lifetime, this thread's MXCSR to what kernels expect: round to nearest, every exception masked, flush
/// to zero and denormals are zero. Then restores what was there, sticky flags included.
class KernelFloatingPoint {
public:
  KernelFloatingPoint() : saved(_mm_getcsr()) { _mm_setcsr(mode); }
  ~KernelFloatingPoint() { _mm_setcsr(saved); }
  KernelFloatingPoint(const KernelFloatingPoint &) = delete;
  KernelFloatingPoint &operator=(const KernelFloatingPoint &) = delete;

  /// Bits 7-12 mask the exceptions, 13-14 round (0: to nearest), 15 flushes to zero, 6 takes denormals as zero.
  static constexpr unsigned mode = 0x1F80u | 0x8000u | 0x0040u;

private:
  unsigned saved;
};

/// The same with the mode that a process begins with: round to nearest, subnormals kept.
class PlainFloatingPoint {
public:
  PlainFloatingPoint() : saved(_mm_getcsr()) { _mm_setcsr(0x1F80u); }
  ~PlainFloatingPoint() { _mm_setcsr(saved); }
  PlainFloatingPoint(const PlainFloatingPoint &) = delete;
  PlainFloatingPoint &operator=(const PlainFloatingPoint &) = delete;

private:
  unsigned saved;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_FLOATINGPOINT_H
