// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Step.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

int64_t Trainer::leavesOf(int64_t batch) {
  int64_t leaves = 1;
  while (leaves < maxLeaves && batch % (2 * leaves) == 0)
    leaves *= 2;
  return leaves;
}

Result<std::unique_ptr<Trainer>> Trainer::create(Programs &programs, Communicator &ranks,
                                                 const TrainerOptions &options) {
  std::unique_ptr<Trainer> trainer(new Trainer(programs, ranks, options));
  if (Failure failure = trainer->check())
    return *failure;
  ranks.subnormals = programs.state().device().subnormals();
  return trainer;
}

Failure Trainer::check() const {
  constexpr int64_t most = int64_t(1) << 20;
  for (auto [name, value] : {std::pair<const char *, int64_t>{"the batch", options.batch},
                             {"the micro-steps of a step", options.accumulate},
                             {"the tokens of a sequence", options.length}})
    if (value < 1 || value > most)
      return Error(std::string(name) + " must be in 1 .. " + std::to_string(most) + ", is " + std::to_string(value));
  int64_t leaves = leavesOf(options.batch);
  if (leaves % ranks.size() != 0)
    return Error(std::to_string(ranks.size()) + " ranks need a batch that " + std::to_string(ranks.size()) +
                 " divides (and at most " + std::to_string(maxLeaves) + " ranks), it is " +
                 std::to_string(options.batch));
  for (TrainingProgram program : {TrainingProgram::TrainHard, TrainingProgram::EvaluateHard})
    if (Failure failure = programs.check(program, ownCount() * options.length, ownCount()))
      return failure;
  return programs.check(TrainingProgram::Update, 0, 0);
}

std::vector<Trainer::Share> Trainer::sharesOf(const StepInput &input) const {
  int64_t hard = programs.routes() ? std::llround(input.hardShare * double(options.batch)) : options.batch;
  std::vector<Share> shares;
  if (hard > 0)
    shares.push_back({TrainingProgram::TrainHard, 0, hard, "hard"});
  if (hard < options.batch)
    shares.push_back({TrainingProgram::TrainSoft, hard, options.batch, "soft"});
  return shares;
}

Failure Trainer::checkInput(const StepInput &input) const {
  if (!(input.hardShare >= 0 && input.hardShare <= 1))
    return Error("the share of sequences that route hard must be in 0 .. 1");
  const runtime::Manifest &manifest = programs.state().model().manifest();
  if (!input.prices.empty() && int64_t(input.prices.size()) != manifest.layers() * abi::pricesPerLayer)
    return Error("there must be " + std::to_string(abi::pricesPerLayer) + " prices a layer");
  std::vector<Share> shares = sharesOf(input);
  for (const Share &share : shares)
    if (Failure failure = programs.check(share.program, ownCount() * options.length, ownCount()))
      return failure;
  if (shares.size() == 1 && options.accumulate == 1)
    return std::nullopt;
  if (!programs.state().hasTotals())
    return Error("a step of several runs needs memory for totals of gradients");
  return programs.check(TrainingProgram::Accumulate, 0, 0);
}

KindReport Trainer::emptyReport() const {
  KindReport report;
  report.layers.resize(size_t(programs.state().model().manifest().layers()));
  return report;
}

Failure Trainer::makeGradient(const StepInput &input, const Share &share, bool several, KindReport &report) {
  if (Failure failure = run(share, report))
    return failure;
  if (!std::isfinite(report.nll))
    return notFinite(input, share, "the loss");
  if (Failure failure = sumGradients(share.program))
    return failure;
  programs.finish(share.program);
  bool finite = programs.state().gradientsAreFinite();
  if (Failure failure = agreeOnDevice())
    return failure;
  if (!finite)
    return notFinite(input, share, "a gradient");
  if (several)
    programs.run(TrainingProgram::Accumulate, batch.hyper, results);
  return std::nullopt;
}

Failure Trainer::makeGradients(const StepInput &input, StepReport &report, Hyper &hyper) {
  if (Failure failure = checkInput(input))
    return failure;
  Result<int64_t> counted = agreeOnTargets(readSequences(input.read, 0, options.accumulate));
  if (!counted)
    return counted.error();
  if (*counted == 0)
    return Error("step " + std::to_string(input.step + 1) + ": no target counts");
  report.hard = emptyReport();
  report.soft = emptyReport();
  hyper = input.hyper;
  hyper.lossScale = 1 / double(*counted);
  std::vector<Share> shares = sharesOf(input);
  bool several = shares.size() > 1 || options.accumulate > 1;
  if (several)
    programs.state().zeroTotals();
  for (int64_t group = 0; group < options.accumulate; ++group)
    for (const Share &share : shares) {
      bool isHard = share.program == TrainingProgram::TrainHard;
      makeBatch(group, share);
      batch.hyper = hyper;
      batch.prices = input.prices;
      if (isHard ? input.hardNoise : input.softNoise)
        addNoise(input.step);
      if (Failure failure = makeGradient(input, share, several, isHard ? report.hard : report.soft))
        return failure;
    }
  return std::nullopt;
}

Result<StepReport> Trainer::gradients(const StepInput &input) {
  StepReport report;
  Hyper hyper;
  if (Failure failure = makeGradients(input, report, hyper))
    return *failure;
  return report;
}

Result<StepReport> Trainer::step(const StepInput &input) {
  StepReport report;
  Hyper hyper;
  if (Failure failure = makeGradients(input, report, hyper))
    return *failure;
  programs.run(TrainingProgram::Update, hyper, results);
  report.squaredNorm = results.squaredNorm;
  if (input.balancer > 0)
    moveBalancer(report, input.balancer);
  if (Failure failure = agreeOnDevice())
    return *failure;
  return report;
}

void Trainer::moveBalancer(const StepReport &report, double factor) {
  BalancerOptions moved = options.balancer;
  moved.step *= factor;
  State &state = programs.state();
  const runtime::ModelShape &model = state.model().manifest().model;
  for (size_t l = 0; l < model.layers.size(); ++l) {
    std::vector<float> bias = state.bias(int64_t(l)), average = state.average(int64_t(l));
    if (bias.empty())
      continue;
    std::vector<int64_t> wanted;
    std::vector<double> target;
    for (size_t mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
      if (model.layers[l].modes >> mode & 1) {
        // Sums of ones: whole numbers.
        wanted.push_back(int64_t(report.hard.layers[l].wanted[mode] + report.soft.layers[l].wanted[mode]));
        target.push_back(model.layers[l].target[mode]);
      }
    balance(moved, wanted, target, average, bias);
    state.setBalancer(int64_t(l), std::move(bias), std::move(average));
  }
}

Result<KindReport> Trainer::evaluate(const EvaluationInput &input) {
  if (input.sequences < 0 || input.sequences % options.batch != 0)
    return Error("the sequences of an evaluation must be a multiple of the batch, " + std::to_string(options.batch) +
                 ", are " + std::to_string(input.sequences));
  bool isHard = input.kind == RoutingKind::Hard || !programs.routes();
  Share share{isHard ? TrainingProgram::EvaluateHard : TrainingProgram::EvaluateSoft, 0, options.batch,
              isHard ? "hard" : "soft"};
  if (Failure failure = programs.check(share.program, ownCount() * options.length, ownCount()))
    return *failure;
  KindReport report = emptyReport();
  for (int64_t first = 0; first < input.sequences; first += options.batch) {
    Result<int64_t> counted = agreeOnTargets(readSequences(input.read, first, 1));
    if (!counted)
      return counted.error();
    makeBatch(0, share);
    batch.prices.clear();
    batch.hyper = {};
    batch.hyper.temperature = input.temperature;
    if (Failure failure = run(share, report))
      return *failure;
    for (size_t i = 0; input.modes && i < numbers.size(); ++i)
      input.modes(first + numbers[i],
                  results.modes.data() + batch.step.seqStart[i] * programs.state().model().manifest().layers());
  }
  return report;
}

} // namespace chimera::train
