// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Stats.h"

namespace chimera::run {

static void printSpeed(std::FILE *stream, const char *name, int64_t tokens, double seconds) {
  if (tokens)
    std::fprintf(stream, "%s: %lld tokens in %.3f s, %.1f tokens/s\n", name, static_cast<long long>(tokens), seconds,
                 seconds > 0 ? double(tokens) / seconds : 0.0);
}

io::Status printStats(const Engine &engine, std::FILE *stream) {
  io::Result<chimera_memory> memory = engine.memory();
  if (!memory)
    return memory.error();
  const StepTimes &times = engine.times();
  if (times.restoredTokens)
    std::fprintf(stream, "prompt cache: %lld tokens\n", static_cast<long long>(times.restoredTokens));
  printSpeed(stream, "prefill", times.prefillTokens, times.prefillSeconds);
  printSpeed(stream, "decode", times.decodeTokens, times.decodeSeconds);
  static constexpr const char *names[CHIMERA_MEMORY_COUNT] = {"ssm", "swa", "full", "token_conv", "route"};
  int64_t reserved = 0, used = 0;
  std::fprintf(stream, "cache bytes   reserved       in use\n");
  for (int i = 0; i < CHIMERA_MEMORY_COUNT; ++i) {
    reserved += memory->reserved[i];
    used += memory->used[i];
    std::fprintf(stream, "  %-10s %11lld  %11lld\n", names[i], static_cast<long long>(memory->reserved[i]),
                 static_cast<long long>(memory->used[i]));
  }
  std::fprintf(stream, "  %-10s %11lld  %11lld\n", "total", static_cast<long long>(reserved),
               static_cast<long long>(used));
  if (size_t unused = engine.unusedTensors())
    std::fprintf(stream, "tensors of the checkpoint that the model does not use: %zu\n", unused);
  return {};
}

} // namespace chimera::run
