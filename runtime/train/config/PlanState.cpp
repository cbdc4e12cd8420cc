// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/config/PlanState.h"

#include "runtime/io/Json.h"

namespace chimera::train {

using nlohmann::json;

static json toJson(const LayerShares &shares) {
  return {{"wanted", shares.wanted},
          {"admitted", shares.admitted},
          {"p", shares.p},
          {"entropy", shares.entropy},
          {"refused", shares.refused}};
}

std::string planStateText(const PlanState &state) {
  json layers = json::array();
  for (const LayerShares &shares : state.shares)
    layers.push_back(toJson(shares));
  json object = {{"squeezed", state.squeezed},
                 {"started", state.started},
                 {"accuracy", state.accuracy},
                 {"pressure", state.pressure},
                 {"shares", layers}};
  if (state.heldOut)
    object["held_out"] = {state.heldOut->soft, state.heldOut->hard};
  if (state.evaluationDue)
    object["evaluation_due"] = true;
  return object.dump();
}

/// Fills `values` from a list of as many numbers.
template <size_t size> static bool read(const json &object, const char *key, std::array<double, size> &values) {
  auto list = object.find(key);
  if (list == object.end() || !list->is_array() || list->size() != size)
    return false;
  for (size_t i = 0; i < size; ++i) {
    if (!(*list)[i].is_number())
      return false;
    values[i] = (*list)[i].get<double>();
  }
  return true;
}

static bool read(const json &object, const char *key, double &value) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number())
    return false;
  value = found->get<double>();
  return true;
}

static bool read(const json &object, LayerShares &shares) {
  return object.is_object() && read(object, "wanted", shares.wanted) && read(object, "admitted", shares.admitted) &&
         read(object, "p", shares.p) && read(object, "entropy", shares.entropy) &&
         read(object, "refused", shares.refused);
}

static bool read(const json &object, PlanState &state) {
  if (!object.is_object() || !object.contains("squeezed") || !object["squeezed"].is_number_integer() ||
      !object.contains("started") || !object["started"].is_boolean() || !object.contains("shares") ||
      !object["shares"].is_array() || !read(object, "accuracy", state.accuracy) ||
      !read(object, "pressure", state.pressure))
    return false;
  state.squeezed = object["squeezed"].get<int64_t>();
  state.started = object["started"].get<bool>();
  std::array<double, 2> heldOut;
  if (object.contains("held_out")) {
    if (!read(object, "held_out", heldOut))
      return false;
    state.heldOut = HeldOutAccuracy{heldOut[0], heldOut[1]};
  }
  state.evaluationDue = object.contains("evaluation_due");
  for (const json &layer : object["shares"])
    if (!read(layer, state.shares.emplace_back()))
      return false;
  return true;
}

io::Result<PlanState> parsePlanState(const std::string &text, size_t layers) {
  io::Result<json> object = io::parseJson(text.data(), text.size());
  if (!object)
    return io::Error{"the plan's state: " + object.error().message};
  PlanState state;
  if (!read(*object, state) || (!state.shares.empty() && state.shares.size() != layers))
    return io::Error{"the plan's state is not one of a model of " + std::to_string(layers) + " layers"};
  return state;
}

} // namespace chimera::train
