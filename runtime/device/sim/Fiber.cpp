// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/sim/Fiber.h"

#include <cstdint>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHIMERA_SIM_ASAN 1
#endif
#endif
#ifdef CHIMERA_SIM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

// The System V ABI's callee-saved registers go to the old stack, the stack pointer to *rdi; then the same backwards.
asm(R"(
  .text
  .p2align 4
  .globl chimera_sim_switch_stack
  .type chimera_sim_switch_stack, @function
chimera_sim_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size chimera_sim_switch_stack, .-chimera_sim_switch_stack
)");

extern "C" void chimera_sim_switch_stack(void **save, void *resume);

namespace chimera::sim {

namespace {
constexpr size_t kPage = 4096;
constexpr size_t kStackBytes = 128 * 1024;
constexpr size_t kSavedRegisters = 6;
} // namespace

void switchContext(Context &from, Context &to) {
#ifdef CHIMERA_SIM_ASAN
  __sanitizer_start_switch_fiber(&from.fakeStack, to.stackBottom, to.stackBytes);
#endif
  chimera_sim_switch_stack(&from.stackPointer, to.stackPointer);
#ifdef CHIMERA_SIM_ASAN
  __sanitizer_finish_switch_fiber(from.fakeStack, nullptr, nullptr);
#endif
}

void enterContext(Context &caller) {
#ifdef CHIMERA_SIM_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &caller.stackBottom, &caller.stackBytes);
#endif
}

FiberStack::FiberStack(FiberStack &&other) noexcept : memory(other.memory) {
  other.memory = nullptr;
}

FiberStack::~FiberStack() {
  if (memory)
    munmap(memory, kStackBytes);
}

bool FiberStack::allocate() {
  if (memory)
    return true;
  void *mapped = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return false;
  memory = static_cast<char *>(mapped);
  mprotect(memory, kPage, PROT_NONE);
  return true;
}

Context FiberStack::prepare(void (*entry)()) {
  // `ret` into the entry leaves the stack as after a call: 8 bytes off a multiple of 16. The word above the entry's
  // address stands for a return address that is never used.
  auto *top = reinterpret_cast<uint64_t *>(memory + kStackBytes - 64);
  *--top = 0;
  *--top = reinterpret_cast<uint64_t>(entry);
  for (size_t i = 0; i < kSavedRegisters; ++i)
    *--top = 0;
  Context context;
  context.stackPointer = top;
  context.stackBottom = memory + kPage;
  context.stackBytes = kStackBytes - kPage;
  return context;
}

} // namespace chimera::sim
