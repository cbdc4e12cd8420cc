// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/JobStack.h"

#include <cerrno>
#include <sys/mman.h>

namespace chimera::runtime {

static constexpr size_t pageSize = 4096;

/// switchedCall(context, function, top): calls function(context) with the stack pointer at `top`. The frame pointer
/// holds the caller's meanwhile, which the unwinding information says, so that debuggers and profilers see through.
extern "C" void chimeraSwitchedCall(void *context, void (*function)(void *), void *top)
    __attribute__((visibility("hidden")));

asm(R"(
        .pushsection .text.chimeraSwitchedCall,"ax",@progbits
        .p2align 4
        .globl chimeraSwitchedCall
        .hidden chimeraSwitchedCall
        .type chimeraSwitchedCall,@function
chimeraSwitchedCall:
        .cfi_startproc
        endbr64
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq %rsp, %rbp
        .cfi_def_cfa_register %rbp
        movq %rdx, %rsp
        callq *%rsi
        movq %rbp, %rsp
        popq %rbp
        .cfi_def_cfa %rsp, 8
        retq
        .cfi_endproc
        .size chimeraSwitchedCall, .-chimeraSwitchedCall
        .popsection
)");

Result<JobStack> JobStack::create(size_t bytes) {
  size_t size = (bytes + headroom + pageSize - 1) / pageSize * pageSize + pageSize;
  void *got =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (got == MAP_FAILED)
    return systemError("getting " + std::to_string(size) + " bytes of stack for the kernels", errno);
  JobStack stack(got, size);
  if (mprotect(got, pageSize, PROT_NONE) != 0)
    return systemError("protecting the end of the kernels' stack", errno);
  return stack;
}

JobStack::~JobStack() {
  if (mapping)
    munmap(mapping, size);
}

void JobStack::call(void (*function)(void *), void *context) const {
  chimeraSwitchedCall(context, function, static_cast<char *>(mapping) + size);
}

} // namespace chimera::runtime
