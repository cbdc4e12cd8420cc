// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Other programs on the same work: a dense Transformer of the model's shapes with random weights.
#ifndef CHIMERA_TOOLS_CHIMERABENCH_PEERS_H
#define CHIMERA_TOOLS_CHIMERABENCH_PEERS_H

#include "runtime/core/Manifest.h"
#include "tools/chimera-bench/Options.h"
#include "tools/chimera-bench/Workload.h"

#include <optional>
#include <string>
#include <vector>

namespace chimera::bench {

/// A dense Transformer: every layer full attention and a gated feed-forward layer.
struct PeerShape {
  int64_t layers = 0, hidden = 0, heads = 0, keyValueHeads = 0, headDim = 0, feedForward = 0, vocab = 0;
  io::DType dtype = io::DType::F32; ///< F32 or BF16; of an f64 model F32.
};

/// The shape of a model, or why it has none: without attention or feed-forward layers nothing is comparable.
io::Result<PeerShape> peerShape(const runtime::Manifest &manifest);

struct PeerMeasurement {
  Work work;
  std::vector<double> tokensPerSecond; ///< Of each timed run.
};

/// What a peer gave: measurements, or a line that says why there are none.
struct PeerResult {
  std::string program;
  std::vector<PeerMeasurement> measurements;
  std::vector<std::string> notes;
};

/// Runs llama-bench when it is in PATH.
PeerResult runLlama(const PeerShape &shape, const std::vector<Work> &works, const Options &options);
/// Runs PyTorch when python3 can import it.
PeerResult runTorch(const PeerShape &shape, const std::vector<Work> &works, const Options &options);

/// Writes a llama model with random weights in the GGUF format, version 3, without a vocabulary.
io::Status writeGguf(const std::string &path, const PeerShape &shape, int64_t context, uint64_t seed);

} // namespace chimera::bench

#endif // CHIMERA_TOOLS_CHIMERABENCH_PEERS_H
