// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading the key `training` of a config.json.
#include "runtime/train/config/TrainingConfig.h"

#include "dialect/frontend/ObjectReader.h"

namespace chimera::train {

static constexpr int64_t mostSteps = int64_t(1) << 40;

static void readOptimizer(ObjectReader &parent, OptimizerConfig &optimizer) {
  ObjectReader reader = parent.child("optimizer");
  reader.allowOnly({"lr", "betas", "eps", "weight_decay", "clip", "router_lr"});
  optimizer.learningRate = reader.number("lr", optimizer.learningRate, NumberRange::positive());
  optimizer.epsilon = reader.number("eps", optimizer.epsilon, NumberRange::positive());
  optimizer.weightDecay = reader.number("weight_decay", optimizer.weightDecay, NumberRange::atLeast(0));
  optimizer.routerRate = reader.number("router_lr", optimizer.routerRate, NumberRange::atLeast(0));
  if (reader.has("clip") && !reader.hasValue("clip"))
    optimizer.clip = std::numeric_limits<double>::infinity();
  else
    optimizer.clip = reader.number("clip", optimizer.clip, NumberRange::positive());
  const JsonValue *betas = reader.find("betas");
  if (!betas)
    return;
  auto isBeta = [](const JsonValue &value) { return value.isNumber() && value.number >= 0 && value.number < 1; };
  if (betas->kind != JsonValue::Kind::Array || betas->items.size() != 2 || !isBeta(betas->items[0]) ||
      !isBeta(betas->items[1])) {
    reader.error("betas", "must be two numbers >= 0 and < 1, got " + betas->describe());
    return;
  }
  optimizer.beta1 = betas->items[0].number;
  optimizer.beta2 = betas->items[1].number;
}

static void readSchedule(ObjectReader &parent, ScheduleConfig &schedule) {
  ObjectReader reader = parent.child("schedule");
  reader.allowOnly({"kind", "warmup", "final", "decay"});
  schedule.kind = reader.choice<ScheduleKind>(
      "kind", schedule.kind,
      {{"cosine", ScheduleKind::Cosine}, {"wsd", ScheduleKind::Wsd}, {"constant", ScheduleKind::Constant}});
  schedule.warmup = reader.integer("warmup", schedule.warmup, 0, mostSteps);
  schedule.final = reader.number("final", schedule.final, {0, 1, false});
  schedule.decay = reader.number("decay", schedule.decay, {0, 1, true});
}

static void readRouting(ObjectReader &reader, RoutingSchedule &routing) {
  const JsonValue *value = reader.find("routing");
  if (!value)
    return;
  if (value->kind != JsonValue::Kind::String)
    return reader.error("routing",
                        "must be a string such as \"hard\" or \"soft@0.5,hard@0.6\", got " + value->describe());
  io::Result<RoutingSchedule> schedule = RoutingSchedule::parse(value->text);
  if (!schedule)
    return reader.error("routing", schedule.error().message);
  routing = *schedule;
}

static Measure readMeasure(ObjectReader &reader, Measure byDefault) {
  return reader.choice<Measure>("measure", byDefault, {{"soft", Measure::Soft}, {"hard", Measure::Hard}});
}

static void readBudget(ObjectReader &parent, std::optional<BudgetConfig> &budget) {
  if (!parent.hasValue("budget"))
    return;
  ObjectReader reader = parent.child("budget");
  reader.allowOnly({"mode", "coefficient", "cap", "measure", "scope", "pause_gap", "start_accuracy", "hold_accuracy",
                    "restore", "growth", "limit", "form", "until"});
  BudgetConfig read;
  read.mode = reader.choice<Mode>(
      "mode", read.mode, {{"ssm", Mode::Ssm}, {"swa", Mode::Swa}, {"full", Mode::Full}, {"identity", Mode::Identity}});
  read.coefficient = reader.number("coefficient", read.coefficient, NumberRange::atLeast(0));
  if (!reader.has("cap"))
    reader.error("cap", "missing");
  read.cap = readCurve(reader, "cap", 1.0, {0, 1, false});
  read.measure = readMeasure(reader, read.measure);
  read.scope = reader.choice<Scope>("scope", read.scope, {{"mean", Scope::Mean}, {"layer", Scope::Layer}});
  read.form = reader.choice<Form>("form", read.form, {{"linear", Form::Linear}, {"log", Form::Log}});
  if (reader.hasValue("pause_gap"))
    read.pauseGap = reader.number("pause_gap", 1.0, {0, 1, false});
  read.startAccuracy = reader.number("start_accuracy", 0.0, {0, 1, false});
  read.holdAccuracy = readCurve(reader, "hold_accuracy", 0.0, {0, 1, false});
  read.restore = readCurve(reader, "restore", 0.0, NumberRange::atLeast(0));
  read.growth = reader.number("growth", 1.0, NumberRange::atLeast(1));
  read.limit = reader.number("limit", read.limit, NumberRange::atLeast(0));
  read.until = reader.number("until", read.until, {0, 1, false});
  if (read.growth > 1 && read.coefficient == 0)
    reader.error("coefficient", "must be > 0 to grow");
  budget = read;
}

static void readFloor(ObjectReader &parent, std::optional<FloorConfig> &floor) {
  if (!parent.hasValue("floor"))
    return;
  ObjectReader reader = parent.child("floor");
  reader.allowOnly({"ssm", "swa", "full", "identity", "coefficient", "measure"});
  FloorConfig read;
  double sum = 0;
  for (Mode mode : allModes)
    sum += read.share[size_t(mode)] = reader.number(modeName(mode), 0.0, {0, 1, false});
  if (sum > 1)
    reader.error("ssm", "the shares of all modes sum to more than 1");
  read.coefficient = reader.number("coefficient", read.coefficient, NumberRange::atLeast(0));
  read.measure = readMeasure(reader, read.measure);
  floor = read;
}

static void readRhythm(ObjectReader &parent, TrainingConfig &config) {
  ObjectReader balancer = parent.child("balancer");
  balancer.allowOnly({"from", "until", "factor"});
  config.balancerFrom = balancer.number("from", 0.0, {0, 1, false});
  config.balancerUntil = balancer.number("until", 1.0, {0, 1, false});
  if (config.balancerFrom > config.balancerUntil)
    balancer.error("from", "must not be above until");
  config.balancerFactor = readCurve(balancer, "factor", 1.0, NumberRange::atLeast(0));
  ObjectReader evaluation = parent.child("evaluation");
  evaluation.allowOnly({"every", "sequences"});
  config.evaluateEvery = evaluation.integer("every", config.evaluateEvery, 0, mostSteps);
  config.evaluateSequences = evaluation.integer("sequences", config.evaluateSequences, 1, 1 << 20);
  ObjectReader checkpoint = parent.child("checkpoint");
  checkpoint.allowOnly({"every", "keep"});
  config.checkpointEvery = checkpoint.integer("every", config.checkpointEvery, 0, mostSteps);
  config.keepCheckpoints = checkpoint.integer("keep", config.keepCheckpoints, 1, 1000);
}

io::Result<TrainingConfig> parseTraining(std::string_view text, std::string_view fileName, double temperature) {
  std::string prefix = std::string(fileName) + ": ";
  std::variant<JsonValue, std::string> json = parseJson(text);
  if (auto *error = std::get_if<std::string>(&json))
    return io::Error{prefix + *error};
  ErrorSink errors;
  ObjectReader file(&std::get<JsonValue>(json), "", errors);
  ObjectReader reader = file.child("training");
  reader.allowOnly({"optimizer", "schedule", "routing", "temperature", "entropy", "budget", "switch_loss", "floor",
                    "balancer", "evaluation", "checkpoint"});
  TrainingConfig config;
  readOptimizer(reader, config.optimizer);
  readSchedule(reader, config.schedule);
  readRouting(reader, config.routing);
  config.temperature = readCurve(reader, "temperature", temperature, NumberRange::positive());
  config.entropy = readCurve(reader, "entropy", 0.0, NumberRange::any());
  readBudget(reader, config.budget);
  config.switchLoss = reader.number("switch_loss", 0.0, NumberRange::atLeast(0));
  readFloor(reader, config.floor);
  readRhythm(reader, config);
  if (errors.failed())
    return io::Error{prefix + errors.message()};
  return config;
}

} // namespace chimera::train
