// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-train/Run.h"

#include "runtime/device/MakeDevice.h"
#include "runtime/io/Affixes.h"
#include "runtime/train/CheckpointFiles.h"
#include "runtime/train/ContentDigest.h"
#include "runtime/train/data/Streams.h"
#include "tools/chimera-train/Binary.h"
#include "tools/chimera-train/ConfigText.h"
#include "tools/chimera-train/Signals.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <unistd.h>

namespace chimera::train {

namespace filesystem = std::filesystem;
using runtime::Error;

Result<std::unique_ptr<Run>> Run::open(const Options &options, Job &job) {
  auto run = std::make_unique<Run>(options, job);
  std::string binary;
  using Stage = std::function<Failure()>;
  const std::vector<Stage> stages = {
      [&] { return run->readInput(); },
      [&] { return run->readSources(); },
      [&] { return job.compareWithFirst(rankIdentity(options, run->configText, run->sources)); },
      [&] { return run->readOutput(); },
      [&] { return run->openEncoded(true); },
      [&] { return run->openEncoded(false); },
      [&] { return run->compile(binary); },
      [&] { return run->load(binary); },
      [&] { return run->start(); },
      [&] { return run->compareRanks(); },
      [&] { return options.gradients.empty() ? run->openJournal() : std::nullopt; },
  };
  for (const Stage &stage : stages) {
    Failure failure = stage();
    if (failure = job.agree(failure ? failure : stoppedBeforeStart()); failure)
      return *failure;
  }
  return run;
}

void Run::warn(const std::string &text) const {
  if (isFirst())
    std::fprintf(stderr, "chimera-train: warning: %s\n", text.c_str());
}

/// Whether the model that is gone on with lies in --out.
bool Run::isInPlace() const {
  std::error_code ignored;
  return filesystem::equivalent(options.model, options.out, ignored);
}

bool Run::hasWeights() const {
  std::error_code ignored;
  return filesystem::is_directory(options.model, ignored) &&
         (filesystem::exists(options.model + "/model.safetensors", ignored) ||
          filesystem::exists(options.model + "/model.safetensors.index.json", ignored));
}

/// Config and data: nothing is written.
Failure Run::readInput() {
  io::Result<ConfigText> written = readConfigText(options.model);
  if (!written)
    return Error(written.error());
  std::variant<JsonValue, std::string> json = parseJson(written->text);
  if (auto *message = std::get_if<std::string>(&json))
    return Error(written->path + ": " + *message);
  configText = std::get<JsonValue>(std::move(json));
  if (hasWeights())
    modelSettings = settingsOfModel(options, configText);
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
  if (Failure failure = findTexts())
    return failure;
  return encodes ? std::nullopt : openData();
}

/// Whether the data are texts that a tokenizer is to encode. Then they are opened when --out is there.
Failure Run::findTexts() {
  Result<std::optional<RunTokenizer>> found = RunTokenizer::find(options, model);
  if (!found)
    return found.error();
  if (found->has_value())
    tokenizer.emplace(std::move(**found));
  if (!tokenizer)
    return std::nullopt;
  for (const SourceSpec &source : options.data) {
    io::Result<std::vector<DataFile>> files = source.files();
    if (!files)
      return Error(files.error());
    io::Result<std::vector<std::string>> texts = textsAmong(*files);
    if (!texts)
      return Error(texts.error());
    encodes |= !texts->empty();
  }
  return std::nullopt;
}

/// Opens data that are encoded first: the first rank makes the files that the others then find.
Failure Run::openEncoded(bool first) {
  return encodes && first == isFirst() ? openData() : std::nullopt;
}

Failure Run::openData() {
  DataOptions how{{}, options.length, model.vocabSize, options.seed, options.heldOut};
  how.bytesAreTokens = options.tokenizer == "bytes";
  how.places = {options.model};
  how.warn = [this](const std::string &text) { warn(text); };
  how.isNew = !hasWeights();
  if (encodes)
    how.encode = [this](const std::vector<std::string> &texts) -> io::Result<std::string> {
      auto say = [](const std::string &text) { std::fprintf(stderr, "chimera-train: %s\n", text.c_str()); };
      Result<std::string> path = tokenizer->encode(texts, say);
      if (!path)
        return io::Error{path.error().message};
      return *path;
    };
  io::Result<std::unique_ptr<Mixture>> opened = Mixture::open(options.data, how);
  if (!opened)
    return Error(opened.error());
  data = std::move(*opened);
  sources.data = data->description();
  if (data->hasHeldOut() || !training.budget)
    return std::nullopt;
  for (auto [key, needed] : {std::pair("start_accuracy", training.budget->startAccuracy > 0),
                             std::pair("pause_gap", std::isfinite(training.budget->pauseGap))})
    if (needed)
      return Error(options.model + ": key 'training.budget." + key +
                   "': is about held-out sequences, of which --held-out 0 leaves none");
  return std::nullopt;
}

/// Digests of the files that the run is made from.
Failure Run::readSources() {
  if (encodes)
    sources.tokenizer = tokenizer->digest();
  std::vector<std::string> paths;
  for (const SourceSpec &source : options.data) {
    io::Result<std::vector<DataFile>> files = source.files();
    if (!files)
      return Error(files.error());
    for (const DataFile &file : *files)
      paths.push_back(file.path);
  }
  if (!paths.empty()) {
    Result<std::string> digest = contentDigest(paths);
    if (!digest)
      return digest.error();
    sources.content = *digest;
  }
  if (!hasWeights()) {
    sources.weights = "random, of --seed";
    return std::nullopt;
  }
  if (isInPlace()) { // The run's own take their place.
    sources.weights = "those in --out";
    return std::nullopt;
  }
  std::vector<std::string> files;
  std::error_code code;
  for (filesystem::directory_iterator at(options.model, code), end; !code && at != end; at.increment(code))
    if (at->path().extension() == ".safetensors")
      files.push_back(at->path().string());
  std::sort(files.begin(), files.end());
  Result<std::string> digest = contentDigest(files);
  if (!digest)
    return digest.error();
  sources.weights = *digest;
  return std::nullopt;
}

/// Removes what killed processes left half written, by the names that they write under.
static void removeUnfinished(const std::string &folder) {
  std::vector<filesystem::path> found;
  std::error_code ignored;
  for (filesystem::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    std::string name = at->path().filename().string();
    bool isUnfinished = io::startsWith(name, "train-") && at->path().extension() == ".part";
    isUnfinished |= io::startsWith(name, "tokens-") && name.find(".bin.tmp-") != std::string::npos;
    auto isPartOf = [&](const char *whole) { return io::startsWith(name, std::string(whole) + ".tmp-"); };
    for (const char *whole : {"config.json", "model.safetensors", "training.html", "profile.txt"})
      isUnfinished |= isPartOf(whole);
    isUnfinished |= std::any_of(std::begin(filesOfTokenizer), std::end(filesOfTokenizer), isPartOf);
    if (isUnfinished)
      found.push_back(at->path());
  }
  for (const filesystem::path &path : found)
    filesystem::remove(path, ignored);
}

/// The folder, which must hold no other run and must be written by no other process.
Failure Run::readOutput() {
  checkpoints.emplace(options.out + "/checkpoints", training.keepCheckpoints);
  if (!isFirst())
    return std::nullopt;
  if (Failure failure = makeFolder(options.out))
    return failure;
  if (!options.gradients.empty())
    return std::nullopt;
  Result<FolderLock> taken = FolderLock::take(options.out, [this](const std::string &text) { warn(text); });
  if (!taken)
    return taken.error();
  lock.emplace(std::move(*taken));
  removeUnfinished(options.out);
  if (Failure failure = tokenizer ? tokenizer->checkOutput() : std::nullopt)
    return failure;
  checkpoints->removeUnfinished();
  bool isBegun = !checkpoints->steps().empty();
  if (isBegun && !options.resume)
    return Error(io::quote(options.out) + ": holds the checkpoints of a run; --resume goes on with it");
  std::error_code ignored;
  if (!isBegun && !isInPlace() && filesystem::exists(options.out + "/model.safetensors", ignored))
    return Error(io::quote(options.out) + ": holds a trained model without checkpoints, which a run would replace; "
                                          "take another --out, or remove its model.safetensors");
  return std::nullopt;
}

/// The first rank makes the programs; it has loaded them then.
Failure Run::compile(std::string &path) {
  JsonValue compiled = configText; // `training` is nothing to the compiler
  auto isTraining = [](const auto &member) { return member.first == "training"; };
  auto &members = compiled.members;
  members.erase(std::remove_if(members.begin(), members.end(), isTraining), members.end());
  Result<std::string> found = binaryPath(options, jsonText(compiled), ranks.size());
  if (!found)
    return found.error();
  path = *found;
  if (!isFirst())
    return std::nullopt;
  Result<std::shared_ptr<const runtime::Model>> made =
      makeBinary(options, path, ranks.size(), [this](const std::string &text) { warn(text); });
  if (!made)
    return made.error();
  binary = *made;
  return std::nullopt;
}

Failure Run::load(const std::string &path) {
  if (!binary) {
    Result<std::shared_ptr<const runtime::Model>> loaded = runtime::Model::load(path);
    if (!loaded)
      return loaded.error();
    binary = *loaded;
  }
  sources.kernels = options.target + " " + binary->variant().name;
  identity = runIdentity(options, configText, sources);
  Result<std::unique_ptr<runtime::Device>> runner =
      runtime::makeDevice(binary->manifest().target, options.threads, binary->variant().stackBytes);
  if (!runner)
    return runner.error();
  device = std::move(*runner);
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

/// The weights of the model directory, or new ones; or those of a checkpoint.
Failure Run::start() {
  return options.resume ? resume() : loadWeights();
}

Failure Run::loadWeights() {
  if (!hasWeights())
    return state->initialise(model, options.seed);
  io::Result<io::Checkpoint> weights = io::Checkpoint::open(options.model);
  if (!weights)
    return Error(weights.error());
  return state->load(*weights);
}

Failure Run::resume() {
  std::vector<std::string> warnings;
  Result<std::optional<CheckpointInfo>> found = checkpoints->loadNewest(
      *state, identity, [&](const std::string &text) { warnings.push_back(text); }, toleratedDifference);
  if (found && *found && (*found)->step > options.steps)
    return Error(checkpoints->path((*found)->step) +
                 ": is of a longer run than --steps=" + std::to_string(options.steps));
  for (const std::string &text : warnings)
    warn(text);
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
  auto differences = identityDifferences((*found)->identity, identity);
  changed = differences && !differences->empty();
  return std::nullopt;
}

/// Ranks whose programs or weights differ would go on without a word, each with bits of its own.
Failure Run::compareRanks() {
  if (ranks.size() == 1)
    return std::nullopt;
  std::string weights;
  for (const std::vector<HostTensor> &tensors : {state->tensors(), state->optimizer()})
    for (const HostTensor &tensor : tensors)
      weights += digestText({reinterpret_cast<const char *>(tensor.bytes.data()), tensor.bytes.size()});
  if (Failure failure = device->failure())
    return failure;
  const runtime::Digest &programs = binary->digest();
  nlohmann::json identity = {
      {"the compiled programs", digestText({reinterpret_cast<const char *>(programs.data()), programs.size()})},
      {"the kernels", sources.kernels},
      {"the steps of the checkpoint", done},
      {"the weights", digestText(weights)}};
  return job.compareWithFirst(identity.dump());
}

static std::string sourcesText(const Options &options) {
  std::string text;
  for (const SourceSpec &source : options.data)
    text += (text.empty() ? "" : " + ") + source.text();
  return text;
}

/// The first line of the log: the settings.
static nlohmann::json settingsLine(const Run &run, int64_t parameters) {
  const Options &options = run.options;
  nlohmann::json line = {{"kind", "run"},
                         {"step", run.done},
                         {"model", options.model},
                         {"parameters", parameters},
                         {"data", sourcesText(options) + " (" + run.data->description() + ")"},
                         {"steps", options.steps},
                         {"batch", options.batch},
                         {"accumulate", options.accumulate},
                         {"seq", options.length},
                         {"ranks", run.ranks.size()},
                         {"seed", options.seed},
                         {"dtype", options.dtype},
                         {"kernels", run.sources.kernels},
                         {"config", jsonText(run.configText)}};
  if (!run.modelSettings.empty())
    line["settings_of_model"] = run.modelSettings;
  return line;
}

Failure Run::openJournal() {
  if (!isFirst())
    return std::nullopt;
  int64_t parameters = 0;
  for (int64_t index : binary->manifest().trainable)
    parameters += binary->manifest().parameters[size_t(index)].elements;
  Progress progress(stderr, ::isatty(2), options.steps, std::max<int64_t>(options.logEvery, 10));
  io::Result<std::unique_ptr<Journal>> opened =
      Journal::open(options.out, settingsLine(*this, parameters), done, changed, progress, options.logEvery);
  if (!opened)
    return Error(opened.error());
  journal = std::move(*opened);
  journal->say(std::to_string(parameters) + " parameters to train; " + data->description() + "; curves in " +
               options.out + "/training.html");
  if (!modelSettings.empty())
    journal->say("settings of the model that is gone on with, from its config.json: " + modelSettings);
  if (done > 0)
    journal->say("going on after step " + std::to_string(done));
  return std::nullopt;
}

StepInput Run::input(const StepPlan &step) const {
  StepInput input;
  input.step = uint32_t(done);
  int64_t first = done * options.accumulate * options.batch;
  input.read = [this, first](int64_t index, int32_t *tokens, int32_t *targets) {
    return data->train(uint64_t(first + index), {tokens, targets, nullptr});
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
