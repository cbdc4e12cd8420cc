// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Holds checkpoints of other programs against the oracle, and the parts that several families have on disk. Names and
// layouts are written out here, on both sides: the frontend's own tables are what is tested.
#ifndef CHIMERA_TEST_E2E_FOREIGNCHECK_H
#define CHIMERA_TEST_E2E_FOREIGNCHECK_H

#include "test/e2e/ForeignModel.h"
#include "test/support/Subprocess.h"

#include <set>

namespace chimera::test {

/// Compiles the checkpoint in `directory` into `output`, in f64 for ref.
ProcessResult compileForeign(const std::string &directory, const std::string &output);

/// Compiles the checkpoint in f64, runs `length` tokens of it, and holds every logit and every mode against the oracle
/// on `equivalent`, a config of our own. Returns the modes that occurred.
std::set<int8_t> expectSameAsOracle(const ForeignModel &model, const std::string &equivalent, int length = 60);

/// The tensors of transformers' attention, under the names of `prefix` on disk.
void addAttention(ForeignModel &model, const std::string &prefix, const std::string &ours, int64_t width,
                  int64_t queries, int64_t keys);

/// Those of its gated network.
void addFeedForward(ForeignModel &model, const std::string &prefix, const std::string &ours, int64_t width,
                    int64_t inner);

/// Mamba-2 as transformers stores it: `width` to `heads` heads of `headDim`, with `groups` groups of `state` states and
/// four taps; PyTorch's depthwise convolution is [channels, 1, taps].
void addMamba2(ForeignModel &model, const std::string &prefix, const std::string &ours, int64_t width, int64_t heads,
               int64_t headDim, int64_t groups, int64_t state);

} // namespace chimera::test

#endif
