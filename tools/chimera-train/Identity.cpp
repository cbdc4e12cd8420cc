// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Identity.h"

#include "tools/chimera-train/ConfigText.h"

#include <nlohmann/json.hpp>

namespace chimera::train {

void applyOptions(const Options &options, JsonValue &config) {
  if (options.routing)
    setKey(config, {"training", "routing"}, jsonString(*options.routing));
  if (options.learningRate)
    setKey(config, {"training", "optimizer", "lr"}, jsonNumber(*options.learningRate));
  if (options.checkpointEvery)
    setKey(config, {"training", "checkpoint", "every"}, jsonInteger(*options.checkpointEvery));
  if (options.keep)
    setKey(config, {"training", "checkpoint", "keep"}, jsonInteger(*options.keep));
  if (options.evaluateEvery)
    setKey(config, {"training", "evaluation", "every"}, jsonInteger(*options.evaluateEvery));
  if (options.evaluateSequences)
    setKey(config, {"training", "evaluation", "sequences"}, jsonInteger(*options.evaluateSequences));
}

std::string runIdentity(const Options &options, const JsonValue &config, const std::string &data) {
  nlohmann::json identity = {{"--data", options.data},
                             {"the data", data},
                             {"--held-out", options.heldOut},
                             {"--steps", options.steps},
                             {"--batch", options.batch},
                             {"--seq", options.length},
                             {"--accumulate", options.accumulate},
                             {"--seed", options.seed},
                             {"--dtype", options.dtype}};
  for (const auto &[key, value] : config.members) {
    if (key != "training") {
      identity["config.json: " + key] = jsonText(value);
      continue;
    }
    for (const auto &[part, setting] : value.members)
      if (part != "checkpoint")
        identity["config.json: training." + part] = jsonText(setting);
  }
  return identity.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace chimera::train
