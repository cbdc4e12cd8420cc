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
  /// At most `most` sequences are in the session at once.
  Evaluation(const Options &options, Engine &engine, const Batch &batch, int64_t most, NpyWriter *logits)
      : options(options), engine(engine), batch(batch), most(size_t(most)), logits(logits) {}

  Status run(std::vector<int8_t> *allRouting);

private:
  Status addSequences();
  Status round();
  Status endSequences();
  Status feed(const std::vector<chimera_step_item> &items, const std::vector<int64_t> &first);

  const Options &options;
  Engine &engine;
  const Batch &batch;
  size_t most;
  size_t waiting = 0; ///< The first sequence that was not added.
  NpyWriter *logits;
  std::vector<int8_t> *allRouting = nullptr;
  std::vector<Progress> active;
  std::vector<uint8_t> stepLogits;
  std::vector<int8_t> stepRouting;
};
} // namespace

/// Fills the session up with sequences that wait and are not empty.
Status Evaluation::addSequences() {
  for (; active.size() < most && waiting < batch.lengths.size(); ++waiting) {
    if (!batch.lengths[waiting])
      continue;
    Result<chimera_sequence> sequence = engine.addSequence();
    if (!sequence)
      return sequence.error();
    active.push_back({int64_t(waiting), *sequence});
  }
  return {};
}

/// Takes out what is at its end. Caches go only if others wait for their place, so that --stats sees what was in use.
Status Evaluation::endSequences() {
  auto ended = [&](const Progress &p) { return p.done == batch.lengths[size_t(p.index)]; };
  if (waiting < batch.lengths.size())
    for (const Progress &progress : active)
      if (ended(progress))
        if (Status status = engine.dropSequence(progress.sequence); !status)
          return status;
  active.erase(std::remove_if(active.begin(), active.end(), ended), active.end());
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
  int64_t mostRows = logits ? std::max<int64_t>(1, logitsBudget / engine.logitsRowBytes()) : INT64_MAX;
  std::vector<chimera_step_item> items;
  std::vector<int64_t> first;
  int64_t room = mostRows;
  auto flush = [&]() -> Status {
    Status status = items.empty() ? Status() : feed(items, first);
    items.clear();
    first.clear();
    room = mostRows;
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
  return endSequences();
}

Status Evaluation::run(std::vector<int8_t> *routing) {
  allRouting = routing;
  while (true) {
    if (Status status = addSequences(); !status)
      return status;
    if (active.empty())
      return {};
    if (Status status = round(); !status)
      return status;
  }
}

Status evaluate(const Options &options, Engine &engine) {
  // Far more than a step holds, so that the steps are full.
  constexpr int64_t mostResident = 1024;
  Result<Batch> batch = readBatch(options, engine.handle(), engine.info());
  if (!batch)
    return batch.error();
  int64_t running = std::count_if(batch->lengths.begin(), batch->lengths.end(), [](int64_t n) { return n > 0; });
  int64_t resident = options.residentSequences(running, std::max(mostResident, engine.info().max_seqs));
  if (Status status = engine.start(options, resident); !status)
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
  Evaluation evaluation(options, engine, *batch, resident, logits ? &*logits : nullptr);
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
