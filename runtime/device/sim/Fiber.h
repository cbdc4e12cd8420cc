// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fibers: a stack each, switched by hand. A GPU thread of the simulator is one.
#ifndef CHIMERA_RUNTIME_DEVICE_SIM_FIBER_H
#define CHIMERA_RUNTIME_DEVICE_SIM_FIBER_H

#include <cstddef>

namespace chimera::sim {

/// Where a flow of control stopped, and the stack it runs on.
struct Context {
  void *stackPointer = nullptr;
  /// The stack's lowest address and its size, in bytes; unknown for the thread that called the simulator until a fiber
  /// has run (AddressSanitizer says what it is then).
  const void *stackBottom = nullptr;
  size_t stackBytes = 0;
  /// AddressSanitizer's note of this stack while another one runs.
  void *fakeStack = nullptr;
};

/// Stops `from` where it is and goes on with `to`. Returns when something switches back to `from`. Callee-saved
/// registers are kept; the floating-point mode is the host thread's and belongs to no fiber.
void switchContext(Context &from, Context &to);

/// What a fiber's entry calls first: it learns where `caller` (the context that started it) has its stack.
void enterContext(Context &caller);

/// A stack from the operating system with a guard page at its low end, used again by one fiber after the other.
class FiberStack {
public:
  FiberStack() = default;
  FiberStack(FiberStack &&other) noexcept;
  FiberStack(const FiberStack &) = delete;
  FiberStack &operator=(const FiberStack &) = delete;
  FiberStack &operator=(FiberStack &&) = delete;
  ~FiberStack();

  /// Gets memory if there is none yet. False when the system has none.
  bool allocate();
  /// A context that begins with a call of `entry`, which must never return.
  Context prepare(void (*entry)());

private:
  char *memory = nullptr;
};

} // namespace chimera::sim

#endif
