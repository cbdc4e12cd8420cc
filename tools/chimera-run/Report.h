// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A page of what a run did: which mode each token took in each layer, and how the caches grew.
#ifndef CHIMERA_TOOLS_CHIMERARUN_REPORT_H
#define CHIMERA_TOOLS_CHIMERARUN_REPORT_H

#include "runtime/abi/chimera.h"
#include "runtime/io/Result.h"
#include "tools/generation/Engine.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace chimera::run {

class Tokenizer;

/// Keeps what the steps of a session say, sequence by sequence.
class Report : public SessionObserver {
public:
  explicit Report(int64_t layers) : layers(layers) {}

  void begin(chimera_sequence sequence, int64_t first) override;
  void add(chimera_sequence sequence, const int32_t *tokens, int64_t count, const int8_t *modes,
           const chimera_memory &memory) override;
  void end(chimera_sequence sequence) override;

  /// Writes the page. `tokenizer`: null where tokens have no text. `name`: of the model.
  io::Status write(const std::string &path, const std::string &name, const chimera_model *model,
                   const Tokenizer *tokenizer) const;

private:
  /// The caches of a sequence after so many tokens, by CHIMERA_MEMORY_*.
  struct Sample {
    int64_t position;
    int64_t reserved[CHIMERA_MEMORY_COUNT], used[CHIMERA_MEMORY_COUNT];
  };
  struct Sequence {
    int64_t first;
    std::vector<int32_t> tokens;
    std::vector<int8_t> modes; ///< [tokens][layers]
    std::vector<Sample> samples;
  };

  /// Halves the samples where there are more than a picture shows.
  static void thin(std::vector<Sample> &samples);

  int64_t layers, left = 0; ///< Tokens that were not kept, as the page holds enough.
  std::vector<Sequence> sequences;
  std::map<chimera_sequence, size_t> running;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_REPORT_H
