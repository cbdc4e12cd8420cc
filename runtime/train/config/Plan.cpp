// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/Plan.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

/// Where pushes, pulls and the entropy's coefficient begin in a layer's prices.
static constexpr size_t pushesAt = numModes, pullsAt = 2 * numModes, entropyAt = 3 * numModes;

Plan::Plan(TrainingConfig config, const Config &model, int64_t steps, int64_t tokens)
    : training(std::move(config)), layerModes(model.layerModes), steps(steps), tokens(tokens) {
  for (const std::vector<Mode> &modes : layerModes)
    routedLayers += modes.size() > 1;
  if (training.budget)
    budget.emplace(*training.budget, layerModes, steps);
}

StepPlan Plan::at(int64_t step, const PlanState &state) const {
  StepPlan plan;
  const OptimizerConfig &optimizer = training.optimizer;
  double fraction = scheduleFraction(step, steps), begun = double(step) / double(steps);
  Hyper &hyper = plan.hyper;
  hyper.temperature = training.temperature.at(fraction);
  hyper.learningRate = optimizer.learningRate * learningRateFactor(training.schedule, step, steps);
  hyper.routerLearningRate = hyper.learningRate * optimizer.routerRate;
  hyper.beta1 = optimizer.beta1;
  hyper.beta2 = optimizer.beta2;
  hyper.epsilon = optimizer.epsilon;
  hyper.weightDecay = optimizer.weightDecay;
  hyper.correction1 = 1 - std::pow(optimizer.beta1, double(step + 1));
  hyper.correction2 = 1 - std::pow(optimizer.beta2, double(step + 1));
  hyper.clipNorm = optimizer.clip;
  plan.prices.assign(layerModes.size() * pricesPerLayer, 0.0);
  if (routedLayers == 0)
    return plan;

  plan.routing = training.routing.at(fraction);
  if (begun >= training.balancerFrom && begun < training.balancerUntil)
    plan.balancer = training.balancerFactor.at(fraction);
  if (budget)
    addBudget(step, state, plan);
  addFloor(state, plan.prices);
  addSwitchLoss(state, plan.prices);
  for (size_t layer = 0; layer < layerModes.size(); ++layer)
    if (layerModes[layer].size() > 1)
      plan.prices[layer * pricesPerLayer + entropyAt] = training.entropy.at(fraction) / double(tokens);
  return plan;
}

void Plan::addBudget(int64_t step, const PlanState &state, StepPlan &plan) const {
  plan.cap = budget->cap(state);
  std::vector<double> coefficients = budget->coefficients(state, step);
  for (size_t layer = 0; layer < layerModes.size(); ++layer) {
    double amount = coefficients[layer] / double(routedLayers) / double(tokens);
    double *prices = &plan.prices[layer * pricesPerLayer + size_t(budget->mode())];
    if (budget->form() == Form::Linear)
      prices[0] += amount;
    else
      prices[amount > 0 ? pushesAt : pullsAt] += std::abs(amount);
    if (plan.budgetPrice == 0)
      plan.budgetPrice = coefficients[layer];
  }
}

void Plan::addFloor(const PlanState &state, std::vector<double> &prices) const {
  if (!training.floor || state.shares.empty())
    return;
  for (size_t layer = 0; layer < layerModes.size(); ++layer)
    for (Mode mode : layerModes[layer])
      if (layerModes[layer].size() > 1 &&
          shareOf(state.shares[layer], training.floor->measure, mode) < training.floor->share[size_t(mode)])
        prices[layer * pricesPerLayer + size_t(mode)] -=
            training.floor->coefficient / double(routedLayers) / double(tokens);
}

void Plan::addSwitchLoss(const PlanState &state, std::vector<double> &prices) const {
  if (training.switchLoss == 0 || state.shares.empty())
    return;
  for (size_t layer = 0; layer < layerModes.size(); ++layer)
    for (Mode mode : layerModes[layer])
      if (layerModes[layer].size() > 1)
        prices[layer * pricesPerLayer + size_t(mode)] += training.switchLoss * double(layerModes[layer].size()) *
                                                         state.shares[layer].wanted[size_t(mode)] / double(tokens);
}

bool Plan::squeezeWaits(int64_t step, const PlanState &state) const {
  return budget && budget->waits(state, step);
}

PlanState Plan::after(int64_t step, PlanState state, std::vector<LayerShares> shares, double accuracy) const {
  PlanState before = state;
  state.shares = std::move(shares);
  state.accuracy = 0.9 * state.accuracy + 0.1 * accuracy;
  if (budget)
    budget->advance(before, step, state);
  return state;
}

PlanState Plan::evaluated(PlanState state, HeldOutAccuracy accuracy) const {
  if (training.budget && std::max(accuracy.soft, accuracy.hard) >= training.budget->startAccuracy)
    state.started = true;
  state.heldOut = accuracy;
  return state;
}

} // namespace chimera::train
