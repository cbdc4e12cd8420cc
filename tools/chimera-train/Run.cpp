// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Run.h"

#include "runtime/train/CheckpointFiles.h"
#include "tools/chimera-train/Binary.h"
#include "tools/chimera-train/ConfigText.h"
#include "tools/chimera-train/Identity.h"

#include <algorithm>
#include <filesystem>
#include <unistd.h>

namespace chimera::train {

using runtime::Error;

Failure agree(Communicator &ranks, Failure own) {
  int64_t failed = own ? 1 : 0;
  if (Failure lost = ranks.sum(&failed, 1))
    return own ? own : lost;
  if (own || failed == 0)
    return own;
  return Error("another rank has failed");
}

Result<std::unique_ptr<Run>> Run::open(const Options &options, Communicator &ranks) {
  auto run = std::make_unique<Run>(options, ranks);
  std::string binary;
  auto failure = agree(ranks, run->readInput());
  if (!failure)
    failure = agree(ranks, run->readOutput());
  if (!failure)
    failure = agree(ranks, run->compile(binary));
  if (!failure)
    failure = agree(ranks, run->load(binary));
  if (!failure)
    failure = agree(ranks, options.resume ? run->resume() : run->loadWeights());
  if (!failure && options.gradients.empty())
    failure = agree(ranks, run->openJournal());
  if (failure)
    return *failure;
  return run;
}

/// Config and data: nothing is written.
Failure Run::readInput() {
  io::Result<std::string> text = readConfigText(options.model);
  if (!text)
    return Error(text.error());
  configText = std::get<JsonValue>(parseJson(*text));
  applyOptions(options, configText);
  std::string changed = jsonText(configText);
  ConfigOrError parsed = parseConfig(changed, options.model);
  if (auto *message = std::get_if<std::string>(&parsed))
    return Error(*message);
  model = std::get<Config>(parsed);
  io::Result<TrainingConfig> howTo = parseTraining(changed, options.model, model.router.temperature);
  if (!howTo)
    return Error(howTo.error());
  training = *howTo;
  plan.emplace(training, model, options.steps, tokensPerStep());
  io::Result<std::unique_ptr<Dataset>> opened =
      openDataset({options.data, options.length, model.vocabSize, options.seed, options.heldOut});
  if (!opened)
    return Error(opened.error());
  data = std::move(*opened);
  identity = runIdentity(options, configText, data->description());
  return std::nullopt;
}

/// The folder, which must not hold another run.
Failure Run::readOutput() {
  checkpoints.emplace(options.out + "/checkpoints", training.keepCheckpoints);
  if (!options.resume && options.gradients.empty() && !checkpoints->steps().empty())
    return Error(io::quote(options.out) + ": holds the checkpoints of a run; --resume goes on with it");
  return isFirst() ? makeFolder(options.out) : std::nullopt;
}

Failure Run::compile(std::string &path) {
  JsonValue compiled = configText; // `training` is nothing to the compiler
  auto isTraining = [](const auto &member) { return member.first == "training"; };
  auto &members = compiled.members;
  members.erase(std::remove_if(members.begin(), members.end(), isTraining), members.end());
  Result<std::string> found = binaryPath(options, jsonText(compiled), ranks.size());
  if (!found)
    return found.error();
  path = *found;
  return isFirst() ? makeBinary(options, path, ranks.size()) : std::nullopt;
}

Failure Run::load(const std::string &path) {
  Result<std::shared_ptr<const runtime::Model>> loaded = runtime::Model::load(path);
  if (!loaded)
    return loaded.error();
  binary = *loaded;
  int64_t stack = binary->variant().stackBytes;
  Result<std::unique_ptr<runtime::CpuDevice>> cpu = options.threads ? runtime::CpuDevice::create(options.threads, stack)
                                                                    : runtime::CpuDevice::createForProcess(stack);
  if (!cpu)
    return cpu.error();
  device = std::move(*cpu);
  Result<std::unique_ptr<State>> made =
      State::create(*device, *binary, options.accumulate > 1 || training.routing.mixes());
  if (!made)
    return made.error();
  state = std::move(*made);
  Result<std::unique_ptr<Programs>> bound = Programs::create(*state);
  if (!bound)
    return bound.error();
  programs = std::move(*bound);
  TrainerOptions how{options.batch,
                     options.accumulate,
                     options.length,
                     options.seed,
                     {model.router.balancerEma, model.router.balancerStep, model.router.balancerClip}};
  Result<std::unique_ptr<Trainer>> ready = Trainer::create(*programs, ranks, how);
  if (!ready)
    return ready.error();
  trainer = std::move(*ready);
  return std::nullopt;
}

/// The weights of the model directory, or new ones.
Failure Run::loadWeights() {
  namespace filesystem = std::filesystem;
  std::error_code ignored;
  bool isFolder = filesystem::is_directory(options.model, ignored);
  if (!isFolder || (!filesystem::exists(options.model + "/model.safetensors", ignored) &&
                    !filesystem::exists(options.model + "/model.safetensors.index.json", ignored)))
    return state->initialise(model, options.seed);
  io::Result<io::Checkpoint> weights = io::Checkpoint::open(options.model);
  if (!weights)
    return Error(weights.error());
  return state->load(*weights);
}

Failure Run::resume() {
  auto warn = [this](const std::string &text) {
    if (isFirst())
      std::fprintf(stderr, "chimera-train: warning: %s\n", text.c_str());
  };
  Result<std::optional<CheckpointInfo>> found = checkpoints->loadNewest(*state, identity, warn);
  if (!found)
    return found.error();
  if (!*found) {
    warn(options.out + ": there is no checkpoint yet; the run begins");
    return loadWeights();
  }
  io::Result<PlanState> remembered = parsePlanState((*found)->progress, model.layerModes.size());
  if (!remembered)
    return Error(checkpoints->path((*found)->step) + ": " + remembered.error().message);
  planState = *remembered;
  done = (*found)->step;
  if (done > options.steps)
    return Error(checkpoints->path(done) + ": is of a longer run than --steps=" + std::to_string(options.steps));
  return std::nullopt;
}

Failure Run::openJournal() {
  // Ranks that see other files than the first would go on from other steps.
  int64_t first = done;
  if (Failure failure = ranks.broadcast(&first, sizeof first))
    return failure;
  if (first != done)
    return Error("this rank found the checkpoint of step " + std::to_string(done) + ", the first that of step " +
                 std::to_string(first));
  if (!isFirst())
    return std::nullopt;
  int64_t parameters = 0;
  for (int64_t index : binary->manifest().trainable)
    parameters += binary->manifest().parameters[size_t(index)].elements;
  nlohmann::json line = {{"kind", "run"},
                         {"step", 0},
                         {"model", options.model},
                         {"parameters", parameters},
                         {"data", options.data + " (" + data->description() + ")"},
                         {"steps", options.steps},
                         {"batch", options.batch},
                         {"accumulate", options.accumulate},
                         {"seq", options.length},
                         {"ranks", ranks.size()},
                         {"seed", options.seed},
                         {"dtype", options.dtype},
                         {"config", jsonText(configText)}};
  Progress progress(stderr, ::isatty(2), options.steps, std::max<int64_t>(options.logEvery, 10));
  io::Result<std::unique_ptr<Journal>> opened =
      Journal::open(options.out, std::move(line), done, progress, options.logEvery);
  if (!opened)
    return Error(opened.error());
  journal = std::move(*opened);
  journal->say(std::to_string(parameters) + " parameters to train; " + data->description() + "; curves in " +
               options.out + "/training.html");
  if (done > 0)
    journal->say("going on after step " + std::to_string(done));
  return std::nullopt;
}

StepInput Run::input(const StepPlan &step) const {
  StepInput input;
  input.step = uint32_t(done);
  int64_t first = done * options.accumulate * options.batch;
  input.read = [this, first](int64_t index, int32_t *tokens, int32_t *targets) {
    data->sequence(Split::Train, uint64_t(first + index), {tokens, targets, nullptr});
  };
  input.hardShare = step.routing.hardShare;
  input.hardNoise = step.routing.hardNoise;
  input.softNoise = step.routing.softNoise;
  input.hyper = step.hyper;
  input.prices = step.prices;
  input.balancer = step.balancer;
  return input;
}

std::string Run::modelConfig() const {
  JsonValue text = configText;
  bool routes = std::any_of(model.layerModes.begin(), model.layerModes.end(),
                            [](const std::vector<Mode> &modes) { return modes.size() > 1; });
  if (routes && model.style == CheckpointStyle::Chimera)
    setKey(text, {"router", "temperature"}, jsonNumber(temperature()));
  return jsonText(text, 2) + "\n";
}

} // namespace chimera::train
