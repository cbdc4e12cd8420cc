// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/ContinueTokens.h"

#include "runtime/io/Safetensors.h"
#include "tools/chimera-run/Batch.h"
#include "tools/chimera-run/Generate.h"
#include "tools/chimera-run/TokenOutput.h"
#include "tools/support/Streams.h"

#include <optional>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

namespace {
/// The sequences of a batch, with new tokens to a file, or printed when there is none.
class BatchSequences : public Sequences {
public:
  BatchSequences(const Batch &batch, int64_t layers, TokenFile *file)
      : batch(batch), layers(layers), file(file), rows(file ? batch.lengths.size() : 0),
        lines(stdout, file ? 0 : int64_t(batch.lengths.size())) {}

  int64_t count() const override { return int64_t(batch.lengths.size()); }
  std::string nameOf(int64_t sequence) const override { return io::shapeText({sequence}) + ": "; }

  Beginning begin(int64_t sequence) override {
    int64_t first = sequence * batch.width;
    return {batch.tokens.data() + first, batch.lengths[size_t(sequence)],
            batch.forced.empty() ? nullptr : batch.forced.data() + first * layers};
  }

  Status fed(int64_t, int64_t, int64_t, const int8_t *) override { return {}; }

  Status made(int64_t sequence, int32_t token) override {
    if (!file)
      return lines.write(sequence, token);
    rows[size_t(sequence)].push_back(token);
    return {};
  }

  Status ended(int64_t sequence) override {
    if (!file)
      return lines.end(sequence);
    std::vector<int32_t> row = std::move(rows[size_t(sequence)]);
    return file->write(sequence, row);
  }

private:
  const Batch &batch;
  int64_t layers;
  TokenFile *file;
  std::vector<std::vector<int32_t>> rows; ///< The new tokens of sequences that have not ended.
  TokenLines lines;
};
} // namespace

/// What comes next is chosen from the logits of a token before it.
static Status checkNotEmpty(const Options &options, const Batch &batch) {
  int64_t empty = -1;
  if (batch.width == 0 && batch.sequences > 0)
    empty = 0;
  for (size_t b = 0; empty < 0 && b < batch.lengths.size(); ++b)
    if (batch.lengths[b] == 0)
      empty = int64_t(b);
  if (empty < 0)
    return {};
  return Error{tools::nameOfInput(options.lengths.empty() ? *options.tokens : options.lengths) + ": " +
               io::shapeText({empty}) +
               ": the sequence is empty, so there is nothing to continue; let it begin with a "
               "token, such as the model's start token"};
}

Status continueTokens(const Options &options, Engine &engine) {
  Result<Batch> batch = readBatch(options, engine.handle(), engine.info());
  if (!batch)
    return batch.error();
  if (Status status = checkNotEmpty(options, *batch); !status)
    return status;
  if (!options.promptCache.empty() && batch->sequences != 1)
    return Error{"--prompt-cache: it holds one sequence, and " + tools::nameOfInput(*options.tokens) + " has " +
                 std::to_string(batch->sequences)};
  std::optional<TokenFile> file;
  if (!options.outputTokens.empty()) {
    Result<TokenFile> created = TokenFile::create(options.outputTokens, batch->sequences, options.maxNewTokens);
    if (!created)
      return created.error();
    file.emplace(std::move(*created));
  }
  BatchSequences sequences(*batch, engine.info().layers, file ? &*file : nullptr);
  PromptCache cache(options.promptCache);
  if (Status status = generate(options, engine, sequences, options.promptCache.empty() ? nullptr : &cache); !status)
    return status;
  if (Status status = file ? file->commit() : Status(); !status)
    return status;
  return cache.written();
}

} // namespace chimera::run
