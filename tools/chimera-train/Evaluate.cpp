// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Evaluate.h"

#include <algorithm>
#include <functional>

namespace chimera::train {

namespace {

/// Counts where tokens went: by layer, class of position and mode.
class ClassCounts {
public:
  explicit ClassCounts(size_t layers) : layers(layers), counts(layers * numPositionClasses * numModes) {}

  /// Adds a sequence with the modes [T][layers] that its tokens were admitted to.
  void add(const std::vector<PositionClass> &classes, const int8_t *modes) {
    for (size_t t = 0; t < classes.size(); ++t)
      for (size_t layer = 0; layer < layers; ++layer)
        if (int8_t mode = modes[t * layers + layer]; mode >= 0 && mode < numModes)
          ++counts[place(layer, classes[t]) + size_t(mode)];
  }

  Failure sum(Communicator &ranks) { return ranks.sum(counts.data(), int64_t(counts.size())); }

  /// The shares of each class that has tokens, in the layers that route.
  std::vector<ClassRouting> shares(const Config &model) const {
    std::vector<ClassRouting> list;
    for (size_t layer = 0; layer < layers; ++layer)
      for (int kind = 0; model.hasRouter(int64_t(layer)) && kind < numPositionClasses; ++kind) {
        const int64_t *found = &counts[place(layer, PositionClass(kind))];
        ClassRouting routing{int64_t(layer), positionClassName(PositionClass(kind)), {}, 0};
        for (int mode = 0; mode < numModes; ++mode)
          routing.tokens += found[mode];
        for (int mode = 0; routing.tokens && mode < numModes; ++mode)
          routing.shares[size_t(mode)] = double(found[mode]) / double(routing.tokens);
        if (routing.tokens)
          list.push_back(routing);
      }
    return list;
  }

private:
  static size_t place(size_t layer, PositionClass kind) {
    return (layer * numPositionClasses + size_t(kind)) * numModes;
  }

  size_t layers;
  std::vector<int64_t> counts;
};

} // namespace

/// Held-out sequences 0 .. wanted-1 of a source. The program takes whole micro-steps: what is beyond has no targets.
static EvaluationInput inputFor(const Run &run, const Dataset &source, int64_t wanted) {
  EvaluationInput input;
  input.sequences = (wanted + run.options.batch - 1) / run.options.batch * run.options.batch;
  input.temperature = run.temperature();
  input.read = [&run, &source, wanted](int64_t index, int32_t *tokens, int32_t *targets) {
    io::Status status =
        source.sequence(Split::HeldOut, uint64_t(std::min(index, wanted - 1)), {tokens, targets, nullptr});
    if (status && index >= wanted)
      std::fill_n(targets, run.options.length, ignoredTarget);
    return status;
  };
  return input;
}

static HeldOutRecord recordOf(const KindReport &report) {
  return {report.nll / double(report.targets), report.correct / double(report.targets)};
}

/// Counts the modes of a source's sequences 0 .. wanted-1.
static std::function<void(int64_t, const int8_t *)> counter(const Run &run, const Dataset &source, int64_t wanted,
                                                            ClassCounts &counts) {
  return [&run, &source, wanted, &counts](int64_t index, const int8_t *modes) {
    if (index >= wanted)
      return;
    std::vector<int32_t> tokens(size_t(run.options.length)), targets(tokens.size());
    std::vector<PositionClass> classes(tokens.size());
    // It could be read a moment ago.
    if (source.sequence(Split::HeldOut, uint64_t(index), {tokens.data(), targets.data(), classes.data()}))
      counts.add(classes, modes);
  };
}

/// What one kind of routing gives on all sources, and, of a mixture, on each, which `note` is told. `counts` may be
/// null.
static Result<HeldOutRecord> evaluateSources(Run &run, RoutingKind kind, ClassCounts *counts,
                                             const std::function<void(size_t, const KindReport &)> &note) {
  const std::vector<Mixture::Source> &sources = run.data->sources();
  std::vector<int64_t> wanted = run.data->heldOut(std::min<int64_t>(run.training.evaluateSequences, 1 << 20));
  KindReport all;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (wanted[i] == 0)
      continue;
    EvaluationInput input = inputFor(run, *sources[i].data, wanted[i]);
    input.kind = kind;
    if (counts)
      input.modes = counter(run, *sources[i].data, wanted[i], *counts);
    Result<KindReport> report = run.trainer->evaluate(input);
    if (!report)
      return report.error();
    all.nll += report->nll;
    all.correct += report->correct;
    all.targets += report->targets;
    report->sequences = wanted[i];
    if (sources.size() > 1)
      note(i, *report);
  }
  return recordOf(all);
}

Result<EvaluationRecord> evaluate(Run &run) {
  ClassCounts counts(run.model.layerModes.size());
  bool counting = run.programs->routes() && run.data->hasClasses();
  EvaluationRecord record;
  record.step = run.done;
  auto noteHard = [&](size_t source, const KindReport &report) {
    record.sources.push_back(
        {run.data->sources()[source].spec.text(), report.sequences, recordOf(report), std::nullopt});
  };
  Result<HeldOutRecord> hard = evaluateSources(run, RoutingKind::Hard, counting ? &counts : nullptr, noteHard);
  if (!hard)
    return hard.error();
  record.hard = *hard;
  if (!run.programs->routes())
    return record;
  if (counting) {
    if (Failure failure = counts.sum(run.ranks))
      return *failure;
    record.classes = counts.shares(run.model);
  }
  size_t noted = 0;
  auto noteSoft = [&](size_t, const KindReport &report) { record.sources[noted++].soft = recordOf(report); };
  Result<HeldOutRecord> soft = evaluateSources(run, RoutingKind::Soft, nullptr, noteSoft);
  if (!soft)
    return soft.error();
  record.soft = *soft;
  return record;
}

} // namespace chimera::train
