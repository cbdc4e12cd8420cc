// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Options of AddressSanitizer for programs that use LLVM. LLVM's arenas poison what they have not given out; our code,
// built with the sanitizer, does so through LLVM's headers, but Debian's libLLVM and libMLIR, built without, never lift
// it. So poisoning by programs is off; what the sanitizer itself sees of the heap and the stack stays on.

extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}
