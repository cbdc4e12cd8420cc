// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Evaluate.h"

#include <algorithm>

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

/// Held-out sequences 0 .. wanted-1. The program takes whole micro-steps: what is beyond has no targets.
static EvaluationInput inputFor(const Run &run, int64_t wanted) {
  EvaluationInput input;
  input.sequences = (wanted + run.options.batch - 1) / run.options.batch * run.options.batch;
  input.temperature = run.temperature();
  input.read = [&run, wanted](int64_t index, int32_t *tokens, int32_t *targets) {
    io::Status status =
        run.data->sequence(Split::HeldOut, uint64_t(std::min(index, wanted - 1)), {tokens, targets, nullptr});
    if (status && index >= wanted)
      std::fill_n(targets, run.options.length, ignoredTarget);
    return status;
  };
  return input;
}

static HeldOutRecord recordOf(const KindReport &report) {
  return {report.nll / double(report.targets), report.correct / double(report.targets)};
}

Result<EvaluationRecord> evaluate(Run &run) {
  int64_t wanted = std::min<int64_t>(run.training.evaluateSequences,
                                     int64_t(std::min<uint64_t>(run.data->heldOutSequences(), 1 << 20)));
  EvaluationInput input = inputFor(run, wanted);
  ClassCounts counts(run.model.layerModes.size());
  std::vector<int32_t> tokens(size_t(run.options.length)), targets(tokens.size());
  std::vector<PositionClass> classes(tokens.size());
  bool counting = run.programs->routes() && run.data->hasClasses();
  if (counting)
    input.modes = [&](int64_t index, const int8_t *modes) {
      if (index >= wanted)
        return;
      // It could be read a moment ago.
      if (run.data->sequence(Split::HeldOut, uint64_t(index), {tokens.data(), targets.data(), classes.data()}))
        counts.add(classes, modes);
    };
  Result<KindReport> hard = run.trainer->evaluate(input);
  if (!hard)
    return hard.error();
  EvaluationRecord record;
  record.step = run.done;
  record.hard = recordOf(*hard);
  if (!run.programs->routes())
    return record;
  if (counting) {
    if (Failure failure = counts.sum(run.ranks))
      return *failure;
    record.classes = counts.shares(run.model);
  }
  input.kind = RoutingKind::Soft;
  input.modes = nullptr;
  Result<KindReport> soft = run.trainer->evaluate(input);
  if (!soft)
    return soft.error();
  record.soft = recordOf(*soft);
  return record;
}

} // namespace chimera::train
