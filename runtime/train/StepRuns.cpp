// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A step's runs: one rank's part of the sequences, and sums over ranks.
#include "runtime/train/Noise.h"
#include "runtime/train/Step.h"

#include <algorithm>
#include <array>

namespace chimera::train {

Failure Trainer::checkSequence(int64_t index, const int32_t *ids, const int32_t *wanted) const {
  int64_t vocabulary = programs.state().model().manifest().model.vocabSize;
  for (int64_t position = 0; position < options.length; ++position) {
    bool isTarget = ids[position] >= 0 && ids[position] < vocabulary;
    int32_t id = isTarget ? wanted[position] : ids[position];
    if (isTarget && (id == -100 || (id >= 0 && id < vocabulary)))
      continue;
    return Error("sequence " + std::to_string(index) + ", position " + std::to_string(position) + ": the " +
                 (isTarget ? "target " : "token ") + std::to_string(id) + " is outside the vocabulary of " +
                 std::to_string(vocabulary));
  }
  return std::nullopt;
}

Failure Trainer::readSequences(const SequenceReader &read, int64_t firstIndex, int64_t groups) {
  size_t size = size_t(groups * ownCount() * options.length);
  tokens.assign(size, 0);
  targets.assign(size, -100);
  size_t at = 0;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t i = 0; i < ownCount(); ++i, at += size_t(options.length)) {
      int64_t index = firstIndex + group * options.batch + firstOwn() + i;
      if (io::Status status = read(index, tokens.data() + at, targets.data() + at); !status)
        return Error(status.error().message, CHIMERA_ERROR_SYSTEM);
      if (Failure failure = checkSequence(index, tokens.data() + at, targets.data() + at))
        return failure;
    }
  return std::nullopt;
}

/// The number of targets that count, over all ranks; an error on all of them when there is one on any.
Result<int64_t> Trainer::agreeOnTargets(Failure failure) {
  std::array<int64_t, 2> counts = {0, failure ? 1 : 0};
  for (int32_t target : targets)
    counts[0] += target >= 0;
  if (Failure lost = ranks.sum(counts.data(), int64_t(counts.size())))
    return *lost;
  if (failure)
    return *failure;
  if (counts[1] > 0)
    return Error(failedElsewhere, CHIMERA_ERROR_SYSTEM);
  return counts[0];
}

/// What a rank says whose device works while another's does not.
static runtime::Error deviceFailedElsewhere() {
  return {failedElsewhere, CHIMERA_ERROR_DEVICE};
}

/// A failure of a device, on all ranks when there is one on any.
Failure Trainer::agreeOnDevice() {
  Failure own = programs.state().device().failure();
  int64_t failed = own ? 1 : 0;
  if (Failure lost = ranks.sum(&failed, 1))
    return own ? own : lost;
  return own || failed == 0 ? own : Failure(deviceFailedElsewhere());
}

void Trainer::makeBatch(int64_t group, const Share &share) {
  int64_t layers = programs.state().model().manifest().layers();
  int64_t ownLeaves = leavesOf(options.batch) / ranks.size(), leafSize = ownCount() / ownLeaves;
  batch.clear();
  numbers.clear();
  for (int64_t own = 0; own < ownCount(); ++own) {
    if (own % leafSize == 0)
      batch.beginLeaf();
    int64_t sequence = firstOwn() + own;
    if (sequence < share.first || sequence >= share.end)
      continue;
    size_t at = size_t((group * ownCount() + own) * options.length);
    batch.add(tokens.data() + at, targets.data() + at, options.length, layers);
    numbers.push_back(group * options.batch + sequence);
  }
  batch.finish();
}

void Trainer::addNoise(uint32_t step) {
  const runtime::ModelShape &model = programs.state().model().manifest().model;
  size_t layers = model.layers.size(), at = 0;
  batch.noise.assign(size_t(batch.step.rows()) * layers * CHIMERA_MODE_COUNT, 0);
  for (int64_t number : numbers)
    for (int64_t position = 0; position < options.length; ++position)
      for (size_t l = 0; l < layers; ++l, at += CHIMERA_MODE_COUNT) {
        if (__builtin_popcount(model.layers[l].modes) < 2)
          continue;
        std::array<double, 4> noise =
            gumbelNoise({options.seed, step, uint32_t(number), uint32_t(position), uint32_t(l)});
        std::copy(noise.begin(), noise.end(), batch.noise.begin() + int64_t(at));
      }
}

Failure Trainer::run(const Share &share, KindReport &report) {
  programs.run(share.program, batch, results);
  constexpr size_t numbersBefore = 2;
  std::vector<double> sums(numbersBefore + results.layers.size() * size_t(abi::routeStatistics));
  sums[0] = results.nll;
  sums[1] = results.correct;
  double *statistics = sums.data() + numbersBefore;
  const double *own = reinterpret_cast<const double *>(results.layers.data());
  std::copy(own, own + (sums.size() - numbersBefore), statistics);
  if (Failure failure = ranks.sum(sums.data(), int64_t(sums.size())))
    return failure;
  Failure broken = programs.state().device().failure();
  std::array<int64_t, 4> counts = {batch.seqs(), batch.step.rows(), batch.step.outputs(), broken ? 1 : 0};
  if (Failure failure = ranks.sum(counts.data(), int64_t(counts.size())))
    return failure;
  if (counts[3] > 0)
    return broken ? broken : Failure(deviceFailedElsewhere());
  report.sequences += counts[0];
  report.tokens += counts[1];
  report.targets += counts[2];
  report.nll += sums[0];
  report.correct += sums[1];
  double *total = reinterpret_cast<double *>(report.layers.data());
  for (size_t i = 0; i + numbersBefore < sums.size(); ++i)
    total[i] += statistics[i];
  return std::nullopt;
}

Failure Trainer::sumGradients(TrainingProgram program) {
  if (ranks.size() == 1)
    return std::nullopt;
  for (auto [base, count] : programs.exchanged(program))
    if (Failure failure = sum(base, count))
      return failure;
  return std::nullopt;
}

/// Sums numbers of the device over ranks.
Failure Trainer::sum(uint8_t *base, int64_t count) {
  State &state = programs.state();
  size_t bytes = size_t(count * io::sizeOf(state.type()));
  // Gradients that the host does not see go through a copy.
  void *values = const_cast<void *>(state.device().hostView(base));
  std::vector<uint8_t> copy;
  if (!values) {
    copy.resize(bytes);
    state.device().download(copy.data(), base, bytes);
    values = copy.data();
  }
  Failure failure = state.type() == io::DType::F64 ? ranks.sum(static_cast<double *>(values), count)
                                                   : ranks.sum(static_cast<float *>(values), count);
  if (!failure && !copy.empty())
    state.device().upload(base, copy.data(), bytes);
  return failure;
}

/// What the lowest rank that finds a culprit in its own part says; the same text on all ranks.
Result<std::string> Trainer::findCulprit(const Share &share) {
  std::string found = programs.firstNonFinite(share.program, batch);
  if (Failure failure = agreeOnDevice())
    return *failure;
  std::vector<int64_t> finders(size_t(ranks.size()));
  finders[size_t(ranks.rank())] = !found.empty();
  if (Failure failure = ranks.sum(finders.data(), int64_t(finders.size())))
    return *failure;
  int64_t finder = std::find(finders.begin(), finders.end(), 1) - finders.begin();
  // A text is passed on as the sum of one rank's letters and zeros.
  std::vector<int64_t> letters(512);
  if (finder == ranks.rank())
    for (size_t i = 0; i < std::min(found.size(), letters.size()); ++i)
      letters[i] = uint8_t(found[i]);
  if (Failure failure = ranks.sum(letters.data(), int64_t(letters.size())))
    return *failure;
  std::string text;
  for (int64_t letter : letters)
    if (letter)
      text += char(letter);
  return text;
}

runtime::Error Trainer::notFinite(const StepInput &input, const Share &share, const char *what) {
  Result<std::string> culprit = findCulprit(share);
  std::string where = !culprit           ? culprit.error().message
                      : culprit->empty() ? "no launch makes one when it is run again"
                                         : "the first is made by " + *culprit;
  return Error("step " + std::to_string(input.step + 1) + ": " + what + " is NaN or infinite under " + share.kind +
               " routing; " + where);
}

} // namespace chimera::train
