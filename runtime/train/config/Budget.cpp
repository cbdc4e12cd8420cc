// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/Budget.h"

#include <algorithm>

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
    routes.push_back(modes.size() > 1);
    has.push_back(routes.back() && std::find(modes.begin(), modes.end(), this->config.mode) != modes.end());
  }
}

double Budget::cap(const PlanState &state) const {
  return config.cap.at(double(state.squeezed) / double(steps));
}

bool Budget::mayPrice(const PlanState &state) const {
  return config.startAccuracy == 0 || state.started;
}

std::vector<bool> Budget::overCap(const PlanState &state) const {
  std::vector<bool> over(has.size(), false);
  if (state.shares.empty())
    return over;
  double sum = 0;
  for (size_t layer = 0; layer < has.size(); ++layer)
    sum += has[layer] ? shareOf(state.shares[layer], config.measure, config.mode) : 0.0;
  double mean = sum / double(std::count(routes.begin(), routes.end(), true));
  for (size_t layer = 0; layer < has.size(); ++layer) {
    if (!has[layer])
      continue;
    double share = config.scope == Scope::Mean ? mean : shareOf(state.shares[layer], config.measure, config.mode);
    over[layer] = share > cap(state);
  }
  return over;
}

double Budget::coefficient(const PlanState &state) const {
  std::vector<bool> over = overCap(state);
  if (state.shares.empty())
    return 0;
  if (!holds(state))
    return -config.restore;
  bool any = std::find(over.begin(), over.end(), true) != over.end();
  return mayPrice(state) && any ? config.coefficient * state.pressure : 0;
}

std::vector<bool> Budget::applies(const PlanState &state) const {
  return holds(state) ? overCap(state) : has;
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
