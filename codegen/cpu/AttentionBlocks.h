// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The walk of lines over the blocks of a cache.
#ifndef CHIMERA_CODEGEN_CPU_ATTENTIONBLOCKS_H
#define CHIMERA_CODEGEN_CPU_ATTENTIONBLOCKS_H

#include "codegen/cpu/AttentionRun.h"

namespace chimera::cpu {

/// The first entry of a span of a List that belongs to part `part` and is the part's first.
Val firstOfPart(Val part);

/// The most key/value heads, a divisor of them all, that attendPart takes at once: neighbours in a page, up to 256 KiB
/// of keys, so that memory is read in long stretches. 1 if a head's queries are more than a tile.
int64_t headsTogether(const AttendSpec &spec);

/// Takes the spans of one part of a List into `count` lines (at least 1) of each of the key/value heads firstHead ..
/// firstHead + heads - 1; all lines end at the same entry, and are at most tileLines a head, if there are several
/// heads, at most headsTogether.
void attendPart(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const Buffer &pages,
                const Buffer &pagesOfSlot, Val firstHead, Val heads, Val part, const Lines &lines,
                const LineState &state, Val count);

/// This step's rows of a sequence at a key/value head, `base` entries being in the cache already: keys and values from
/// the row of entry `base`, as words, and write weights (null without).
struct StepRows {
  Buffer keys, values, weights;
  Val base;
};
/// Takes the blocks of a Ring into `count` lines (at least 1). `rows` is null where all entries are in the cache.
void attendRing(KernelBuilder &k, const Isa &isa, const AttendSpec &spec, const CacheBuffers &cache, Val slot, Val head,
                const StepRows *rows, const Lines &lines, const LineState &state, Val count);

} // namespace chimera::cpu

#endif // CHIMERA_CODEGEN_CPU_ATTENTIONBLOCKS_H
