// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Synthetic tasks. Every sequence is made from its number; those held out come from another stream of random numbers
// than those trained on.
//
// - `mqar`, associative recall with several queries (Arora et al.: "Zoology", 2023): pairs key value key value ...,
// then
//   fillers among which, at even offsets from the end of the pairs, some of the keys are asked for. The target at a
//   question is the key's value; nothing else counts. Ids: keys from 2, then as many values, then fillers.
// - `copy`, selective copying (Gu and Dao: "Mamba", 2023): data tokens at random places among fillers, then as many
//   markers, whose targets are the data in order. Ids: 0 filler, 1 marker, data from 2, then random fillers.
// - `needle`: facts (a key and its value tokens) at random depths of filler, and at the end a question: marker 1, the
//   key of one of them. The targets are the value tokens, each given the ones before. Ids: keys from 2, then as many
//   values, then fillers.
#ifndef CHIMERA_RUNTIME_TRAIN_DATA_GENERATORS_H
#define CHIMERA_RUNTIME_TRAIN_DATA_GENERATORS_H

#include "runtime/train/data/DataSpec.h"
#include "runtime/train/data/Dataset.h"

namespace chimera::train {

/// Whether the name of a spec is a generator's.
bool isGenerator(const std::string &name);

/// Makes the generator that `spec` names. Errors: an option out of range, a sequence or vocabulary too short for it.
io::Result<std::unique_ptr<Dataset>> makeGenerator(DataSpec spec, const DataOptions &options);

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_DATA_GENERATORS_H
