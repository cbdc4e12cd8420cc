// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Evaluate.h"

#include "runtime/io/Npy.h"
#include "tools/chimera-run/Batch.h"

#include <algorithm>

namespace chimera::run {

using io::DType;
using io::NpyWriter;
using io::Result;
using io::Status;

namespace {
/// A sequence on its way.
struct Progress {
  int64_t index;             ///< b
  chimera_sequence sequence; ///< In the session.
  int64_t done = 0;          ///< Tokens fed.
  int64_t chunks = 0;        ///< Chunks fed.
};

/// Runs the rounds and keeps the results.
class Evaluation {
public:
  Evaluation(const Options &options, Engine &engine, const Batch &batch, NpyWriter *logits)
      : options(options), engine(engine), batch(batch), logits(logits) {}

  Status run(std::vector<int8_t> *allRouting);

private:
  Status addSequences();
  Status round();
  Status feed(const std::vector<chimera_step_item> &items, const std::vector<int64_t> &first);

  const Options &options;
  Engine &engine;
  const Batch &batch;
  NpyWriter *logits;
  std::vector<int8_t> *allRouting = nullptr;
  std::vector<Progress> active;
  std::vector<uint8_t> stepLogits;
  std::vector<int8_t> stepRouting;
};
} // namespace

Status Evaluation::addSequences() {
  for (size_t b = 0; b < batch.lengths.size(); ++b) {
    if (!batch.lengths[b])
      continue;
    Result<chimera_sequence> sequence = engine.addSequence();
    if (!sequence)
      return sequence.error();
    active.push_back({int64_t(b), *sequence});
  }
  return {};
}

/// One step. `first` has each item's first row as an index into [B][T].
Status Evaluation::feed(const std::vector<chimera_step_item> &items, const std::vector<int64_t> &first) {
  if (Status status = engine.step(items, stepLogits, allRouting ? &stepRouting : nullptr); !status)
    return status;
  int64_t row = 0, layers = engine.info().layers, vocab = engine.info().vocab_size;
  for (size_t i = 0; i < items.size(); ++i) {
    if (logits)
      if (Status status = logits->write(first[i] * vocab, stepLogits.data() + row * engine.logitsRowBytes(),
                                        items[i].count * vocab);
          !status)
        return status;
    if (allRouting)
      std::copy_n(stepRouting.begin() + row * layers, items[i].count * layers, allRouting->begin() + first[i] * layers);
    row += items[i].count;
  }
  return {};
}

/// The next chunk of every active sequence, in one step, or in several where one step's logits would take too much
/// memory: cuts do not change results.
Status Evaluation::round() {
  constexpr int64_t logitsBudget = int64_t(256) << 20;
  int64_t most = logits ? std::max<int64_t>(1, logitsBudget / engine.logitsRowBytes()) : INT64_MAX;
  std::vector<chimera_step_item> items;
  std::vector<int64_t> first;
  int64_t room = most;
  auto flush = [&]() -> Status {
    Status status = items.empty() ? Status() : feed(items, first);
    items.clear();
    first.clear();
    room = most;
    return status;
  };
  for (Progress &progress : active) {
    int64_t length = batch.lengths[size_t(progress.index)];
    int64_t left = options.schedule.chunk(progress.chunks++, length - progress.done);
    while (left) {
      int64_t count = std::min(left, room), row = progress.index * batch.width + progress.done;
      const int8_t *forced = batch.forced.empty() ? nullptr : batch.forced.data() + row * engine.info().layers;
      items.push_back({progress.sequence, batch.tokens.data() + row, count, forced,
                       logits ? CHIMERA_LOGITS_ALL : CHIMERA_LOGITS_NONE});
      first.push_back(row);
      progress.done += count;
      left -= count;
      room -= count;
      if (!room)
        if (Status status = flush(); !status)
          return status;
    }
  }
  if (Status status = flush(); !status)
    return status;
  active.erase(std::remove_if(active.begin(), active.end(),
                              [&](const Progress &p) { return p.done == batch.lengths[size_t(p.index)]; }),
               active.end());
  return {};
}

Status Evaluation::run(std::vector<int8_t> *routing) {
  allRouting = routing;
  if (Status status = addSequences(); !status)
    return status;
  while (!active.empty())
    if (Status status = round(); !status)
      return status;
  return {};
}

Status evaluate(const Options &options, Engine &engine) {
  Result<Batch> batch = readBatch(options, engine.handle(), engine.info());
  if (!batch)
    return batch.error();
  int64_t running = std::count_if(batch->lengths.begin(), batch->lengths.end(), [](int64_t n) { return n > 0; });
  if (Status status = engine.start(options.threads, std::max<int64_t>(running, 1)); !status)
    return status;

  std::optional<NpyWriter> logits, routing;
  auto create = [&](const std::string &path, DType type, int64_t last, std::optional<NpyWriter> &writer) -> Status {
    if (path.empty())
      return {};
    Result<NpyWriter> created = NpyWriter::create(path, type, {batch->sequences, batch->width, last});
    if (!created)
      return created.error();
    writer.emplace(std::move(*created));
    return {};
  };
  if (Status status = create(options.logits, engine.logitsType(), engine.info().vocab_size, logits); !status)
    return status;
  if (Status status = create(options.routing, DType::I8, engine.info().layers, routing); !status)
    return status;

  std::vector<int8_t> modes;
  if (routing)
    modes.assign(batch->tokens.size() * size_t(engine.info().layers), -1);
  Evaluation evaluation(options, engine, *batch, logits ? &*logits : nullptr);
  if (Status status = evaluation.run(routing ? &modes : nullptr); !status)
    return status;
  if (routing)
    if (Status status = routing->write(0, modes.data(), int64_t(modes.size())); !status)
      return status;
  for (std::optional<NpyWriter> *writer : {&logits, &routing})
    if (*writer)
      if (Status status = (*writer)->commit(); !status)
        return status;
  return {};
}

} // namespace chimera::run
