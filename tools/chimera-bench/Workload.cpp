// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-bench/Workload.h"

#include <algorithm>
#include <chrono>

namespace chimera::bench {

using io::Result;
using io::Status;

Result<Runner> Runner::create(const chimera_model *model, const chimera_weights *weights,
                              const runtime::Manifest &manifest, const runtime::Variant &variant,
                              const Options &options) {
  Runner runner(manifest, variant, options);
  if (options.fractions) {
    std::vector<uint32_t> forceable;
    for (int64_t layer = 0; layer < manifest.layers(); ++layer)
      forceable.push_back(chimera_model_layer_forceable(model, layer));
    runner.forced.emplace(options.seed, *options.fractions, forceable);
  }
  chimera_session_options wanted = {};
  wanted.struct_size = sizeof wanted;
  wanted.threads = options.threads;
  wanted.memory_limit = options.memoryLimit;
  // The sequences at their context, and the copies that a run changes.
  wanted.max_sequences = 2 * *std::max_element(options.batches.begin(), options.batches.end());
  ErrorSlot error;
  chimera_session *made = nullptr;
  if (chimera_session_create(model, weights, &wanted, &made, error))
    return error.take();
  runner.session.reset(made);
  return runner;
}

Result<std::vector<Runner::Sequence>> Runner::begin(int64_t batch) {
  std::vector<Sequence> sequences;
  for (int64_t number = 0; number < batch; ++number) {
    ErrorSlot error;
    Sequence sequence{0, number, 0, costs.emptyFill()};
    if (chimera_sequence_add(session.get(), &sequence.handle, error))
      return error.take();
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

Result<std::vector<Runner::Sequence>> Runner::fork(const std::vector<Sequence> &sources) {
  std::vector<Sequence> copies = sources;
  for (Sequence &copy : copies) {
    ErrorSlot error;
    if (chimera_sequence_fork(session.get(), copy.handle, &copy.handle, error))
      return error.take();
  }
  return copies;
}

Status Runner::drop(const std::vector<Sequence> &sequences) {
  for (const Sequence &sequence : sequences) {
    ErrorSlot error;
    if (chimera_sequence_drop(session.get(), sequence.handle, error))
      return error.take();
  }
  return {};
}

Result<int64_t> Runner::cacheBytes(const std::vector<Sequence> &sequences) const {
  int64_t bytes = 0;
  for (const Sequence &sequence : sequences) {
    ErrorSlot error;
    chimera_memory memory = {};
    memory.struct_size = sizeof memory;
    if (chimera_memory_use(session.get(), sequence.handle, &memory, error))
      return error.take();
    for (int64_t used : memory.used)
      bytes += used;
  }
  return bytes;
}

Runner::Piece Runner::makePiece(Sequence &sequence, int64_t rows, bool last) const {
  Piece piece{&sequence, rows, last, {}, {}};
  for (int64_t row = 0; row < rows; ++row) {
    int64_t position = sequence.position + row;
    piece.tokens.push_back(drawToken(options.seed, sequence.number, position, manifest.model.vocabSize));
    for (int64_t layer = 0; forced && layer < manifest.layers(); ++layer)
      piece.forced.push_back(forced->draw(sequence.number, position, layer));
  }
  return piece;
}

/// One step of the binary: the work of `pieces` is within its limits. Only the call is timed.
Status Runner::step(std::vector<Piece> &pieces, Totals &totals) {
  std::vector<chimera_step_item> items;
  int64_t rows = 0, outputs = 0;
  for (const Piece &piece : pieces) {
    items.push_back({piece.sequence->handle, piece.tokens.data(), piece.rows,
                     piece.forced.empty() ? nullptr : piece.forced.data(),
                     piece.last ? CHIMERA_LOGITS_LAST : CHIMERA_LOGITS_NONE});
    rows += piece.rows;
    outputs += piece.last;
  }
  logits.resize(size_t(outputs * manifest.model.vocabSize * io::sizeOf(manifest.logitsType())));
  routing.resize(size_t(rows * manifest.layers()));
  ErrorSlot error;
  auto start = std::chrono::steady_clock::now();
  if (chimera_step(session.get(), items.data(), items.size(), logits.data(), logits.size(), routing.data(),
                   routing.size(), error))
    return error.take();
  totals.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  std::vector<SequenceRows> counted;
  const int8_t *at = routing.data();
  for (Piece &piece : pieces) {
    counted.push_back({at, piece.rows, piece.last, &piece.sequence->fill});
    at += piece.rows * manifest.layers();
    piece.sequence->position += piece.rows;
  }
  totals.cost += costs.step(counted, totals.launches);
  for (int8_t mode : routing)
    if (mode >= 0 && mode < int8_t(totals.modes.size()))
      ++totals.modes[uint8_t(mode)];
  return {};
}

/// Gives each sequence `tokens` more, in steps that the binary's limits allow, so that each call is one step.
Status Runner::advance(std::vector<Sequence> &sequences, int64_t tokens, Totals &totals) {
  std::vector<Piece> pieces;
  int64_t room = manifest.maxTokens;
  auto flush = [&]() -> Status {
    Status status = pieces.empty() ? Status() : step(pieces, totals);
    pieces.clear();
    room = manifest.maxTokens;
    return status;
  };
  for (Sequence &sequence : sequences) {
    for (int64_t left = tokens; left > 0;) {
      int64_t rows = std::min(left, room);
      left -= rows;
      room -= rows;
      pieces.push_back(makePiece(sequence, rows, left == 0));
      if (left == 0 && room > 0 && int64_t(pieces.size()) < manifest.maxSeqs)
        continue;
      if (Status status = flush(); !status)
        return status;
    }
  }
  return flush();
}

/// One run: the work on copies of `bases`. `bytes`, unless null, gets what their caches hold at its end.
Status Runner::run(const Work &work, const std::vector<Sequence> &bases, Totals &totals, int64_t *bytes) {
  Result<std::vector<Sequence>> sequences = fork(bases);
  if (!sequences)
    return sequences.error();
  int64_t rounds = work.isDecode ? work.tokens : 1;
  for (int64_t round = 0; round < rounds; ++round)
    if (Status status = advance(*sequences, work.tokens / rounds, totals); !status)
      return status;
  if (bytes) {
    Result<int64_t> held = cacheBytes(*sequences);
    if (!held)
      return held.error();
    *bytes = *held;
  }
  return drop(*sequences);
}

Status Runner::measureRuns(const Work &work, const std::vector<Sequence> &bases, Measurement &result) {
  for (int64_t i = 0; i < options.warmup + options.repeats; ++i) {
    bool isTimed = i >= options.warmup, isLast = i + 1 == options.warmup + options.repeats;
    Totals totals;
    if (Status status = run(work, bases, totals, isLast ? &result.cacheBytes : nullptr); !status)
      return status;
    if (!isTimed)
      continue;
    result.seconds.push_back(totals.seconds);
    // Every run does the same work.
    result.cost = totals.cost;
    int64_t rows = 0;
    for (int64_t count : totals.modes)
      rows += count;
    for (size_t mode = 0; rows && mode < result.shares.size(); ++mode)
      result.shares[mode] = double(totals.modes[mode]) / double(rows);
  }
  return {};
}

Status Runner::profileRun(const Work &work, const std::vector<Sequence> &bases, Measurement &result) {
  constexpr int64_t mostEvents = 200000;
  ErrorSlot error;
  if (chimera_profile_begin(session.get(), options.trace.empty() ? 0 : mostEvents, error))
    return error.take();
  std::vector<Cost> launches(costs.launchCount());
  Totals totals;
  totals.launches = &launches;
  if (Status status = run(work, bases, totals, nullptr); !status)
    return status;
  if (chimera_profile_end(session.get(), error))
    return error.take();
  Result<LaunchProfile> profile = readProfile(session.get(), launches, totals.seconds);
  if (!profile)
    return profile.error();
  result.profile = std::move(*profile);
  return {};
}

Result<Measurement> Runner::measure(const Work &work) {
  Measurement result;
  result.work = work;
  Result<std::vector<Sequence>> bases = begin(work.batch);
  if (!bases)
    return bases.error();
  Totals ignored;
  if (Status status = advance(*bases, work.context, ignored); !status)
    return status.error();
  if (Status status = measureRuns(work, *bases, result); !status)
    return status.error();
  if (options.profile || !options.trace.empty())
    if (Status status = profileRun(work, *bases, result); !status)
      return status.error();
  if (Status status = drop(*bases); !status)
    return status.error();
  return result;
}

} // namespace chimera::bench
