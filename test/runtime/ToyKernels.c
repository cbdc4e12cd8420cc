// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of a model small enough to be stated again in a few lines (ToyModel.cpp): every row gets a hash of its token,
// its position and what its layer's caches hold. Freestanding, as every model binary is.
#include "runtime/abi/chimera.h"

typedef uint32_t u32;
typedef int64_t i64;

// The manifest's text is patched in by the tests; spaces are no part of JSON's meaning.
__attribute__((section(".chimera.manifest"), used, aligned(1))) const char toyManifest[65536] = {' '};

enum { Window = 5, Entries = 64 };

// buffers: tokens, row_position, seq_start, seq_slot, forced, counts i64 [slots][2], state u32 [slots],
//          ring u32 [slots][Window], ring count i64 [slots], pages u32 [pages][64], table, length i64 [slots],
//          hash u32 [N], mode i8 [N][layers].  constants: layer, layers.  grid: seqs.
void toy_layer(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const int32_t *tokens = buffers[0], *start = buffers[2], *slots = buffers[3];
  const i64 *position = buffers[1];
  const int8_t *forced = buffers[4];
  i64 layer = args[CHIMERA_ARG_CONSTANTS], layers = args[CHIMERA_ARG_CONSTANTS + 1];
  for (i64 s = begin; s < end; ++s) {
    i64 slot = slots[s];
    i64 *counts = (i64 *)buffers[5] + slot * 2;
    u32 *state = (u32 *)buffers[6] + slot;
    u32 *ring = (u32 *)buffers[7] + slot * Window;
    i64 *ringCount = (i64 *)buffers[8] + slot;
    u32 *pages = buffers[9];
    const int32_t *table = (const int32_t *)buffers[10] + slot * args[CHIMERA_ARG_STRIDE];
    i64 *length = (i64 *)buffers[11] + slot;
    u32 *hash = buffers[12];
    int8_t *modes = buffers[13];
    for (i64 row = start[s]; row < start[s + 1]; ++row) {
      u32 token = (u32)tokens[row];
      int mode = forced[row * layers + layer];
      if (mode < 0)
        mode = token % 2 ? CHIMERA_MODE_FULL : CHIMERA_MODE_SSM;
      modes[row * layers + layer] = (int8_t)mode;
      ++counts[mode == CHIMERA_MODE_FULL];
      ring[(*ringCount)++ % Window] = token;
      if (mode == CHIMERA_MODE_FULL) {
        pages[table[*length / Entries] * Entries + *length % Entries] = token;
        ++*length;
      } else {
        *state = *state * 31 + token + 1;
      }
      u32 h = (u32)position[row] * 7 + token + (u32)layer + (u32)counts[0] * 3 + *state;
      for (i64 e = 0; e < *length; ++e)
        h = h * 33 + pages[table[e / Entries] * Entries + e % Entries];
      for (i64 e = *ringCount < Window ? 0 : *ringCount - Window; e < *ringCount; ++e)
        h = h * 17 + ring[e % Window];
      hash[row] = h;
    }
  }
}

// buffers: out_index, hash of each of two layers, scale f32 [vocab], bias f32 [vocab], logits f32 [R][vocab].
// constants: vocab.  grid: outputs * vocab.
void toy_logits(void *const *buffers, const i64 *args, i64 begin, i64 end) {
  const int32_t *index = buffers[0];
  const u32 *first = buffers[1], *second = buffers[2];
  const float *scale = buffers[3], *bias = buffers[4];
  float *logits = buffers[5];
  i64 vocab = args[CHIMERA_ARG_CONSTANTS];
  for (i64 i = begin; i < end; ++i) {
    i64 row = index[i / vocab];
    u32 h = first[row] ^ (second[row] >> 3) ^ (u32)(i % vocab);
    logits[i] = (float)(h & 0xFFFF) * scale[i % vocab] + bias[i % vocab];
  }
}
