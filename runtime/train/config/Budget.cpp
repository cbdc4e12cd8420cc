// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/Budget.h"

#include <algorithm>
#include <numeric>

namespace chimera::train {

/// What the pressure is multiplied with in a step below the accuracy to hold: much faster than it grows, since a mode
/// that lost its tokens gives no gradient to call them back.
static constexpr double relief = 0.9;

/// A layer with at most this share of its tokens in the mode is done without it.
static constexpr double unused = 0.02;

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
  return config.cap.at(double(state.squeezed) / double(steps));
}

bool Budget::holds(const PlanState &state) const {
  return state.accuracy >= config.holdAccuracy.at(fraction(state));
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

std::vector<bool> Budget::pay(const PlanState &state) const {
  std::vector<bool> pays(has.size(), false);
  std::vector<double> own = shares(state);
  double mean = std::accumulate(own.begin(), own.end(), 0.0) / double(routedLayers);
  for (size_t layer = 0; layer < has.size(); ++layer)
    pays[layer] = has[layer] && (config.scope == Scope::Layer ? own[layer] : mean) > cap(state);
  if (config.scope != Scope::First)
    return pays;
  auto first = std::find_if(own.begin(), own.end(), [](double share) { return share > unused; });
  for (size_t layer = 0; layer < has.size(); ++layer)
    pays[layer] = pays[layer] && own.begin() + layer == first;
  return pays;
}

std::vector<bool> Budget::gain(const PlanState &state) const {
  std::vector<bool> gains = has;
  if (config.scope == Scope::First) {
    std::vector<double> own = shares(state);
    for (size_t layer = 0; layer < has.size(); ++layer)
      gains[layer] = has[layer] && own[layer] > unused;
  }
  return gains;
}

double Budget::coefficient(const PlanState &state) const {
  if (state.shares.empty())
    return 0;
  if (!holds(state))
    return -config.restore.at(fraction(state));
  std::vector<bool> pays = pay(state);
  bool any = std::find(pays.begin(), pays.end(), true) != pays.end();
  return mayPrice(state) && any ? config.coefficient * state.pressure : 0;
}

std::vector<bool> Budget::applies(const PlanState &state) const {
  if (state.shares.empty())
    return std::vector<bool>(has.size(), false);
  return holds(state) ? pay(state) : gain(state);
}

bool Budget::waits(const PlanState &state) const {
  bool aboutToFall = double(state.squeezed + 1) > config.cap.start() * double(steps);
  if (!aboutToFall)
    return false;
  if (!mayPrice(state) || !holds(state))
    return true;
  return state.heldOut && state.heldOut->soft - state.heldOut->hard > config.pauseGap;
}

void Budget::advance(PlanState &state, bool waited) const {
  if (!waited)
    ++state.squeezed;
  if (config.growth == 1)
    return;
  double greatest = std::max(1.0, config.limit / config.coefficient);
  if (!holds(state))
    state.pressure = std::max(1.0, state.pressure * relief);
  else if (coefficient(state) > 0)
    state.pressure = std::min(greatest, state.pressure * config.growth);
}

} // namespace chimera::train
