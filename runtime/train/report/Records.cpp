// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/report/Records.h"

namespace chimera::train {

using nlohmann::json;

json toJson(const StepRecord &record) {
  json layers = json::array();
  for (const LayerRecord &layer : record.layers)
    layers.push_back({{"layer", layer.layer},
                      {"wanted", layer.shares.wanted},
                      {"admitted", layer.shares.admitted},
                      {"p", layer.shares.p},
                      {"entropy", layer.shares.entropy},
                      {"refused", layer.shares.refused},
                      {"bias", layer.bias}});
  json line = {{"kind", "step"},
               {"step", record.step},
               {"loss", record.loss},
               {"accuracy", record.accuracy},
               {"tokens_per_second", record.tokensPerSecond},
               {"lr", record.learningRate},
               {"norm", record.norm}};
  if (record.layers.empty())
    return line;
  line.update({{"temperature", record.temperature},
               {"hard_share", record.routing.hardShare},
               {"hard_noise", record.routing.hardNoise},
               {"soft_noise", record.routing.softNoise},
               {"cap", record.cap},
               {"budget_price", record.budgetPrice},
               {"squeeze_waits", record.squeezeWaits},
               {"layers", layers}});
  return line;
}

static json toJson(const HeldOutRecord &record) {
  return {{"loss", record.loss}, {"accuracy", record.accuracy}};
}

json toJson(const EvaluationRecord &record) {
  json line = {{"kind", "evaluation"}, {"step", record.step}, {"hard", toJson(record.hard)}};
  if (record.soft) {
    line["soft"] = toJson(*record.soft);
    line["gap"] = record.soft->accuracy - record.hard.accuracy;
  }
  for (const SourceRecord &source : record.sources) {
    json part = {{"source", source.source}, {"sequences", source.sequences}, {"hard", toJson(source.hard)}};
    if (source.soft)
      part["soft"] = toJson(*source.soft);
    line["sources"].push_back(std::move(part));
  }
  for (const ClassRouting &routing : record.classes)
    line["classes"].push_back({{"layer", routing.layer},
                               {"positions", routing.positions},
                               {"shares", routing.shares},
                               {"tokens", routing.tokens}});
  return line;
}

} // namespace chimera::train
