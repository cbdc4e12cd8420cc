// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Programs.h"

#include "runtime/core/DeviceKernels.h"

#include <algorithm>

namespace chimera::train {

using runtime::Buffer;
using runtime::Error;
using runtime::LaunchTable;
using runtime::Phase;
using runtime::ProgramResult;
using runtime::StepBuffer;
using ResultKind = runtime::ProgramResult::Kind;

static constexpr TrainingProgram allPrograms[] = {TrainingProgram::TrainHard,    TrainingProgram::TrainSoft,
                                                  TrainingProgram::EvaluateHard, TrainingProgram::EvaluateSoft,
                                                  TrainingProgram::Accumulate,   TrainingProgram::Update};

static bool isRun(TrainingProgram program) {
  return program < TrainingProgram::Accumulate;
}

static bool trains(TrainingProgram program) {
  return program == TrainingProgram::TrainHard || program == TrainingProgram::TrainSoft;
}

Result<std::unique_ptr<Programs>> Programs::create(State &state, bool poison) {
  std::unique_ptr<Programs> programs(new Programs(state));
  programs->poison = poison;
  for (const runtime::LayerModes &layer : state.model().manifest().model.layers)
    programs->anyRouter |= __builtin_popcount(layer.modes) > 1;
  if (Failure failure = programs->allocateBuffers())
    return *failure;
  if (Failure failure = runtime::loadImage(state.device(), state.model()))
    return *failure;
  for (TrainingProgram program : allPrograms)
    if (Failure failure = programs->bind(program))
      return *failure;
  return programs;
}

Failure Programs::allocateBuffers() {
  const runtime::Model &model = owned.model();
  for (TrainingProgram program : allPrograms)
    if (const Phase *phase = model.variant().program(program))
      arenaBytes = std::max(arenaBytes, size_t(phase->arenaBytes));
  Result<runtime::OwnedRegion> region = runtime::allocate(owned.device(), arenaBytes, "the arena", true);
  if (!region)
    return region.error();
  arena = std::move(*region);
  return buffers.create(owned.device(), model.manifest(), runtime::stepBufferCount);
}

/// What a program has to give back.
static Failure checkResults(const runtime::Model &model, TrainingProgram program, const Phase &phase) {
  auto needs = [&](ResultKind kind, int64_t layer) {
    return std::none_of(phase.results.begin(), phase.results.end(),
                        [&](const ProgramResult &result) { return result.kind == kind && result.layer == layer; });
  };
  auto missing = [&](const std::string &name) {
    return Error(model.name() + ": the program " + nameOf(program) + " has no result " + io::quote(name));
  };
  if (program == TrainingProgram::Update && needs(ResultKind::Norm, -1))
    return missing("norm");
  if (!isRun(program))
    return std::nullopt;
  if (needs(ResultKind::Loss, -1))
    return missing("loss");
  if (!trains(program) && needs(ResultKind::Modes, -1))
    return missing("modes");
  for (int64_t layer = 0; layer < model.manifest().layers(); ++layer)
    if (__builtin_popcount(model.manifest().model.layers[size_t(layer)].modes) > 1 &&
        needs(ResultKind::Statistics, layer))
      return missing("statistics." + std::to_string(layer));
  return std::nullopt;
}

Failure Programs::bind(TrainingProgram program) {
  const runtime::Model &model = owned.model();
  const Phase *phase = model.variant().program(program);
  if (!phase)
    return std::nullopt;
  if (Failure failure = checkResults(model, program, *phase))
    return failure;
  for (const runtime::Launch &launch : phase->launches)
    for (const Buffer &buffer : launch.buffers)
      if (buffer.kind == Buffer::Kind::Total && !owned.hasTotals())
        return std::nullopt; // Steps of one run do without.
  Result<std::vector<chimera_kernel>> kernels =
      runtime::deviceKernels(owned.device(), model, *phase, model.trainingKernels(program));
  if (!kernels)
    return kernels.error();
  tables[size_t(program)].bind(owned.device(), *phase, std::move(*kernels),
                               [this](const Buffer &buffer) { return resolve(buffer); });
  return std::nullopt;
}

void *Programs::resolve(const Buffer &buffer) const {
  size_t index = size_t(buffer.index);
  switch (buffer.kind) {
  case Buffer::Kind::Arena:
    return arena->base + buffer.index;
  case Buffer::Kind::Step:
    return buffers.base(StepBuffer(buffer.index));
  case Buffer::Kind::Param:
    return owned.parameter(index);
  case Buffer::Kind::Grad:
    return owned.gradient(index);
  case Buffer::Kind::Total:
    return owned.total(index);
  case Buffer::Kind::Moment1:
    return owned.moment1(index);
  case Buffer::Kind::Moment2:
    return owned.moment2(index);
  case Buffer::Kind::Pool: // A training program has neither caches nor packed weights.
  case Buffer::Kind::Pages:
  case Buffer::Kind::Table:
  case Buffer::Kind::Packed:
    break;
  }
  return nullptr;
}

Failure Programs::check(TrainingProgram program, int64_t rows, int64_t seqs) const {
  const std::string &name = owned.model().name();
  if (!has(program))
    return Error(name + ": has no program " + nameOf(program));
  const Phase &phase = *tables[size_t(program)].phase();
  if (rows > phase.maxTokens || seqs > phase.maxSeqs)
    return Error(name + ": a run of " + std::to_string(seqs) + " sequences with " + std::to_string(rows) +
                 " tokens is more than the binary holds, " + std::to_string(phase.maxSeqs) + " and " +
                 std::to_string(phase.maxTokens) + " (--max-seqs, --max-tokens)");
  return std::nullopt;
}

void Programs::upload(const RunBatch &batch) {
  runtime::Device &device = owned.device();
  const runtime::Manifest &manifest = owned.model().manifest();
  buffers.upload(batch.step);
  buffers.upload(StepBuffer::Targets, batch.targets);
  buffers.upload(StepBuffer::Hyper, batch.hyper.values());
  buffers.upload(StepBuffer::Leaves, batch.leaves);
  device.fill(buffers.base(StepBuffer::Prices), 0, size_t(manifest.layers() * abi::pricesPerLayer) * sizeof(double));
  buffers.upload(StepBuffer::Prices, batch.prices);
  if (!batch.noise.empty())
    buffers.upload(StepBuffer::Noise, batch.noise);
  else if (!noiseIsZero)
    device.fill(buffers.base(StepBuffer::Noise), 0,
                size_t(manifest.maxTokens * manifest.layers() * CHIMERA_MODE_COUNT) * sizeof(double));
  noiseIsZero = batch.noise.empty();
}

/// The launches of a program that come before ranks exchange gradients.
static size_t beforeExchange(const Phase &phase) {
  return phase.exchangeBefore < 0 ? phase.launches.size() : size_t(phase.exchangeBefore);
}

void Programs::runLaunches(TrainingProgram program, size_t first, size_t end) {
  const LaunchTable &table = tables[size_t(program)];
  if (poison && first == 0)
    owned.device().fill(arena->base, 0xFF, size_t(table.phase()->arenaBytes));
  for (size_t l = first; l < end; ++l)
    if (int64_t blocks = table.blocks(l); blocks > 0) {
      LaunchTimes::Clock::time_point begin;
      if (times)
        begin = LaunchTimes::Clock::now();
      owned.device().launch(table.launch(l, blocks));
      if (times) {
        owned.device().finish();
        times->record(program, *table.phase(), l, LaunchTimes::Clock::now() - begin);
      }
    }
}

void Programs::readResults(const Phase &phase, int64_t rows, RunResults &results) const {
  runtime::Device &device = owned.device();
  int64_t layers = owned.model().manifest().layers();
  for (const ProgramResult &result : phase.results) {
    const uint8_t *from = arena->base + result.span.offset;
    double loss[2];
    switch (result.kind) {
    case ResultKind::Loss:
      device.download(loss, from, sizeof loss);
      results.nll = loss[0];
      results.correct = loss[1];
      break;
    case ResultKind::Statistics:
      device.download(&results.layers[size_t(result.layer)], from, sizeof(LayerStatistics));
      break;
    case ResultKind::Modes:
      results.modes.resize(size_t(rows * layers));
      device.download(results.modes.data(), from, results.modes.size());
      break;
    case ResultKind::Norm:
      device.download(&results.squaredNorm, from, sizeof results.squaredNorm);
      break;
    }
  }
}

static void clear(RunResults &results, int64_t layers) {
  results.nll = results.correct = results.squaredNorm = 0;
  results.layers.assign(size_t(layers), LayerStatistics());
  results.modes.clear();
}

void Programs::run(TrainingProgram program, const RunBatch &batch, RunResults &results) {
  clear(results, owned.model().manifest().layers());
  LaunchTable &table = tables[size_t(program)];
  table.begin({batch.step.rows(), batch.step.seqs(), batch.step.outputs(), 0});
  if (batch.seqs() == 0) {
    if (trains(program))
      for (auto [base, elements] : exchanged(program))
        owned.device().fill(base, 0, size_t(elements * io::sizeOf(owned.type())));
    return;
  }
  upload(batch);
  runLaunches(program, 0, beforeExchange(*table.phase()));
  readResults(*table.phase(), batch.step.rows(), results);
}

void Programs::run(TrainingProgram program, const Hyper &hyper, RunResults &results) {
  clear(results, owned.model().manifest().layers());
  LaunchTable &table = tables[size_t(program)];
  buffers.upload(StepBuffer::Hyper, hyper.values());
  table.begin({});
  runLaunches(program, 0, table.phase()->launches.size());
  readResults(*table.phase(), 0, results);
}

std::vector<std::pair<uint8_t *, int64_t>> Programs::exchanged(TrainingProgram program) const {
  std::vector<std::pair<uint8_t *, int64_t>> ranges = {{owned.gradientBase(), owned.gradientElements()}};
  for (const runtime::ArenaSpan &span : tables[size_t(program)].phase()->exchange)
    ranges.push_back({arena->base + span.offset, span.bytes / io::sizeOf(owned.type())});
  return ranges;
}

void Programs::finish(TrainingProgram program) {
  const Phase &phase = *tables[size_t(program)].phase();
  runLaunches(program, beforeExchange(phase), phase.launches.size());
}

} // namespace chimera::train
