// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The file of --prompt-cache: what a sequence held after the first tokens of its prompt.
//
//     "CHIMPRM1" | count u64 | ids i32 [count] | snapshot (runtime/cache/Snapshot.h) | XXH3-128 of all before it (16)
//
// Numbers are little endian. A snapshot cannot be cut back, so a file serves the prompts that begin with all of its
// tokens. They are all of a prompt's but the last: what comes out of that one is what the next token is chosen from.
#ifndef CHIMERA_TOOLS_CHIMERARUN_PROMPTCACHE_H
#define CHIMERA_TOOLS_CHIMERARUN_PROMPTCACHE_H

#include "tools/generation/Engine.h"

#include <cstdint>
#include <string>

namespace chimera::run {

/// The cache of one run, which continues one sequence.
class PromptCache {
public:
  explicit PromptCache(std::string path) : path(std::move(path)) {}

  /// Starts a sequence from the file if it fits this model and tokens[count]; then `sequence` has been fed the first
  /// `fed` of them, at least one fewer than `count`. A file that is there and does not fit is said in a line on stderr.
  bool restore(Engine &engine, const int32_t *tokens, int64_t count, chimera_sequence &sequence, int64_t &fed);

  /// After how many of a prompt's `count` tokens `save` is to be called; 0: not at all.
  int64_t wantedTokens(int64_t count) const { return replaceable ? count - 1 : 0; }

  /// Writes the file for a sequence that has been fed tokens[count]. A failure is kept for `written`.
  void save(const Engine &engine, chimera_sequence sequence, const int32_t *tokens, int64_t count);

  /// Why the file could not be written, if it was to be.
  const io::Status &written() const { return result; }

private:
  io::Result<chimera_sequence> read(Engine &engine, const int32_t *tokens, int64_t count, int64_t &fed);

  std::string path;
  bool replaceable = true; ///< Not so what is something else than a prompt cache: it may be dear to somebody.
  io::Status result;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_PROMPTCACHE_H
