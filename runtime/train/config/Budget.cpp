// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/Budget.h"

#include <algorithm>
#include <numeric>

namespace chimera::train {

/// What the pressure is multiplied with in a step below the accuracy to hold: much faster than it grows, since a mode
/// that lost its tokens gives no gradient to call them back.
static constexpr double relief = 0.9;

double shareOf(const LayerShares &shares, Measure measure, Mode mode) {
  return (measure == Measure::Soft ? shares.p : shares.admitted)[size_t(mode)];
}

Budget::Budget(BudgetConfig config, const std::vector<std::vector<Mode>> &layerModes, int64_t steps)
    : config(std::move(config)), steps(steps) {
  for (const std::vector<Mode> &modes : layerModes) {
    routedLayers += modes.size() > 1;
    has.push_back(modes.size() > 1 && std::find(modes.begin(), modes.end(), this->config.mode) != modes.end());
  }
}

double Budget::cap(const PlanState &state) const {
  return config.cap.at(scheduleFraction(state.squeezed, steps));
}

bool Budget::holds(const PlanState &state, int64_t step) const {
  return state.accuracy >= config.holdAccuracy.at(scheduleFraction(step, steps));
}

bool Budget::mayPrice(const PlanState &state) const {
  return config.startAccuracy == 0 || state.started;
}

std::vector<double> Budget::shares(const PlanState &state) const {
  std::vector<double> shares(has.size(), 0.0);
  for (size_t layer = 0; layer < has.size(); ++layer)
    if (has[layer])
      shares[layer] = shareOf(state.shares[layer], config.measure, config.mode);
  return shares;
}

double Budget::mean(const PlanState &state) const {
  std::vector<double> own = shares(state);
  return std::accumulate(own.begin(), own.end(), 0.0) / double(routedLayers);
}

std::vector<double> Budget::coefficients(const PlanState &state, int64_t step) const {
  std::vector<double> all(has.size(), 0.0);
  if (state.shares.empty() || double(step) / double(steps) >= config.until)
    return all;
  std::vector<double> own = shares(state);
  bool held = holds(state, step), prices = mayPrice(state);
  double mean = this->mean(state), cap = this->cap(state);
  for (size_t layer = 0; layer < has.size(); ++layer) {
    bool over = (config.scope == Scope::Layer ? own[layer] : mean) > cap;
    if (has[layer])
      all[layer] = !held ? bonus(step) : prices && over ? price(state) : 0;
  }
  return all;
}

bool Budget::waits(const PlanState &state, int64_t step) const {
  bool aboutToFall = scheduleFraction(state.squeezed + 1, steps) > config.cap.start();
  if (!aboutToFall)
    return false;
  if (!mayPrice(state) || !holds(state, step))
    return true;
  return state.heldOut && state.heldOut->soft - state.heldOut->hard > config.pauseGap;
}

void Budget::advance(const PlanState &before, int64_t step, PlanState &state) const {
  if (!waits(before, step))
    ++state.squeezed;
  if (config.growth == 1 || state.shares.empty())
    return;
  std::vector<double> now = coefficients(state, step + 1);
  double greatest = std::max(1.0, config.limit / config.coefficient);
  if (std::any_of(now.begin(), now.end(), [](double coefficient) { return coefficient > 0; }))
    state.pressure = std::min(greatest, state.pressure * config.growth);
  else if (!holds(state, step + 1))
    state.pressure = std::max(1.0, state.pressure * relief);
}

} // namespace chimera::train
