// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/TrainingEngine.h"

#include "runtime/device/MakeDevice.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/Noise.h"
#include "test/support/Subprocess.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace chimera::test {

using runtime::Failure;

namespace {

/// The value of a Result of any kind.
template <typename R> auto take(R result) {
  if (!result)
    throw std::runtime_error(result.error().message);
  return std::move(*result);
}

void check(const Failure &failure) {
  if (failure)
    throw std::runtime_error(failure->message);
}

train::SequenceReader readerOf(const TrainingBatch &batch) {
  return [&batch](int64_t index, int32_t *tokens, int32_t *targets) {
    std::copy(batch.tokens[index].begin(), batch.tokens[index].end(), tokens);
    std::copy(batch.targets[index].begin(), batch.targets[index].end(), targets);
    return io::Status();
  };
}

std::vector<double> asDoubles(const train::HostTensor &tensor) {
  bool wide = tensor.dtype == io::DType::F64;
  std::vector<double> values(tensor.bytes.size() / (wide ? 8 : 4));
  for (size_t i = 0; i < values.size(); ++i) {
    if (wide) {
      std::memcpy(&values[i], tensor.bytes.data() + 8 * i, 8);
    } else {
      float value;
      std::memcpy(&value, tensor.bytes.data() + 4 * i, 4);
      values[i] = value;
    }
  }
  return values;
}

std::vector<oracle::RouterStatistics> statisticsOf(const train::KindReport &report) {
  std::vector<oracle::RouterStatistics> all;
  for (const train::LayerStatistics &layer : report.layers) {
    static_assert(sizeof(oracle::RouterStatistics) == sizeof(train::LayerStatistics));
    std::memcpy(&all.emplace_back(), &layer, sizeof layer);
  }
  return all;
}

} // namespace

TrainingEngine::TrainingEngine(const std::string &binary, const std::string &weights, int64_t batch, int64_t length,
                               int64_t threads) {
  model = take(runtime::Model::load(binary));
  device = take(runtime::makeDevice(model->manifest().target, threads, model->variant().stackBytes));
  values = take(train::State::create(*device, *model, /*totals=*/true));
  check(values->load(take(io::Checkpoint::open(weights))));
  programs = take(train::Programs::create(*values, /*poison=*/true));
  options.batch = batch;
  options.length = length;
  steps = take(train::Trainer::create(*programs, rank, options));
}

GradientResult TrainingEngine::gradients(const TrainingBatch &batch, const TrainingRun &run) {
  train::StepInput input;
  input.read = readerOf(batch);
  input.hardShare = run.routing == TrainingRouting::Hard ? 1 : 0;
  input.softNoise = !run.extras.noise.empty();
  input.hyper.temperature = run.extras.temperature;
  for (const oracle::LayerPrices &prices : run.extras.prices)
    input.prices.insert(input.prices.end(), prices.begin(), prices.end());
  train::StepReport report = take(steps->gradients(input));
  GradientResult result;
  result.loss = report.loss();
  result.targets = report.targets();
  result.correct = static_cast<int64_t>(report.hard.correct + report.soft.correct);
  result.statistics = statisticsOf(run.routing == TrainingRouting::Hard ? report.hard : report.soft);
  for (const train::HostTensor &tensor : values->gradients())
    result.gradients[tensor.name] = Tensor{tensor.shape, asDoubles(tensor)};
  return result;
}

std::vector<double> TrainingEngine::noise(int64_t layers) const {
  std::vector<double> all;
  for (uint32_t sequence = 0; sequence < options.batch; ++sequence)
    for (uint32_t position = 0; position < options.length; ++position)
      for (uint32_t layer = 0; layer < layers; ++layer)
        for (double value : train::gumbelNoise({options.seed, /*step=*/0, sequence, position, layer}))
          all.push_back(value);
  return all;
}

TrainingResult TrainingEngine::evaluate(const TrainingBatch &batch, const TrainingRun &run) {
  train::EvaluationInput input;
  input.kind = run.routing == TrainingRouting::Hard ? train::RoutingKind::Hard : train::RoutingKind::Soft;
  input.sequences = static_cast<int64_t>(batch.tokens.size());
  input.read = readerOf(batch);
  input.temperature = run.extras.temperature;
  TrainingResult result;
  result.modes.resize(batch.tokens.size());
  auto layers = static_cast<int64_t>(model->manifest().layers());
  input.modes = [&](int64_t index, const int8_t *modes) {
    for (size_t t = 0; t < batch.tokens[index].size(); ++t, modes += layers)
      result.modes[index].emplace_back(modes, modes + layers);
  };
  train::KindReport report = take(steps->evaluate(input));
  result.loss = report.nll / static_cast<double>(report.targets);
  result.targets = report.targets;
  result.correct = static_cast<int64_t>(report.correct);
  result.statistics = statisticsOf(report);
  return result;
}

void TrainingEngine::load(const RandomModel &model) {
  TemporaryDirectory directory;
  writeModel(model, directory.path());
  check(values->load(take(io::Checkpoint::open(directory.path()))));
}

std::optional<double> TrainingEngine::derivative(const TrainingBatch &batch, const TrainingRun &run,
                                                 const std::vector<RoutingTable> &modes, const RandomModel &model,
                                                 const TensorMap &direction, double step) {
  const double weights[] = {1.0 / 12, -2.0 / 3, 0, 2.0 / 3, -1.0 / 12};
  double derivative = 0;
  bool continuous = true;
  for (int k : {-2, -1, 1, 2}) {
    RandomModel moved = model;
    for (const auto &[name, part] : direction)
      for (size_t i = 0; i < part.values.size(); ++i)
        moved.parameters.at(name).values[i] += k * step * part.values[i];
    load(moved);
    TrainingResult result = evaluate(batch, run);
    continuous = continuous && (run.routing == TrainingRouting::Soft || result.modes == modes);
    derivative += weights[k + 2] * result.loss / step;
  }
  load(model);
  return continuous ? std::optional<double>(derivative) : std::nullopt;
}

} // namespace chimera::test
