// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Checkpoint.h"
#include "runtime/train/Initialise.h"
#include "test/runtime/TrainingToy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>

namespace chimera::train {
namespace {

using nlohmann::json;

std::map<std::string, HostTensor> byName(std::vector<HostTensor> tensors) {
  std::map<std::string, HostTensor> map;
  for (HostTensor &tensor : tensors)
    map[tensor.name] = std::move(tensor);
  return map;
}

template <typename T> std::vector<T> numbers(const HostTensor &tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

TEST(State, ParametersComeAndGoInTheCheckpointsOrder) {
  toy::Setup setup = toy::setup();
  EXPECT_EQ(setup.parameter(toy::head), (std::vector<float>{12, 10, 13, 11}));
  std::map<std::string, HostTensor> tensors = byName(setup.state->tensors());
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors["out"].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(numbers<float>(tensors["out"]), (std::vector<float>{10, 11, 12, 13}));
  EXPECT_EQ(numbers<float>(tensors["layers.0.router.bias"]), (std::vector<float>{0, 0}));
  EXPECT_EQ(numbers<float>(tensors["layers.0.router.ema"]), (std::vector<float>{0.75f, 0.25f}));
  EXPECT_EQ(tensors["layers.0.router.ema"].dtype, io::DType::F32);
}

TEST(State, AnF64BinaryHasF64MastersAndAnF32Balancer) {
  toy::Setup setup = toy::setup(toy::manifest("f64"));
  EXPECT_EQ(setup.state->type(), io::DType::F64);
  setup.state->setBalancer(0, {0.5f, -0.5f}, {0.7f, 0.3f});
  EXPECT_EQ(setup.values(setup.state->parameter(toy::bias), 2), (std::vector<float>{0.5f, -0.5f}));
  std::map<std::string, HostTensor> tensors = byName(setup.state->tensors());
  EXPECT_EQ(tensors["out"].dtype, io::DType::F64);
  EXPECT_EQ(numbers<double>(tensors["out"]), (std::vector<double>{10, 11, 12, 13}));
  EXPECT_EQ(numbers<float>(tensors["layers.0.router.bias"]), (std::vector<float>{0.5f, -0.5f}));
  EXPECT_EQ(numbers<float>(tensors["layers.0.router.ema"]), (std::vector<float>{0.7f, 0.3f}));
}

TEST(State, MastersOfABf16BinaryAreF32) {
  json manifest = toy::manifest();
  manifest["dtype"] = "bf16";
  for (json &parameter : manifest["parameters"])
    parameter["dtype"] = "bf16";
  toy::Setup setup = toy::setup(manifest);
  EXPECT_EQ(setup.state->type(), io::DType::F32);
  EXPECT_EQ(setup.parameter(toy::table)[1], float(0.3 * 1 - 0.1 * 1)); // Not rounded to bf16.
}

TEST(State, WhatItWritesItReads) {
  runtime::toy::TemporaryFolder folder;
  toy::Setup first = toy::setup(), second = toy::setup();
  first.state->setBalancer(0, {0.5f, -0.5f}, {0.7f, 0.3f});
  ASSERT_FALSE(writeModel(*first.state, folder.path() + "/a/model", "{}"));
  io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(folder.path() + "/a/model");
  ASSERT_TRUE(bool(checkpoint));
  ASSERT_FALSE(second.state->load(*checkpoint));
  EXPECT_EQ(second.state->bias(0), (std::vector<float>{0.5f, -0.5f}));
  EXPECT_EQ(second.state->average(0), (std::vector<float>{0.7f, 0.3f}));
  EXPECT_TRUE(second.state->bias(1).empty());
  std::map<std::string, HostTensor> before = byName(first.state->tensors()), after = byName(second.state->tensors());
  for (auto &[name, tensor] : before)
    EXPECT_EQ(tensor.bytes, after[name].bytes) << name;
}

TEST(State, WhatNothingReadsIsKeptAndHasZerosForAGradient) {
  json manifest = toy::manifest();
  manifest["parameters"].push_back({{"name", "layers.1.input_norm.weight"},
                                    {"shape", json::array({2})},
                                    {"dtype", "f32"},
                                    {"optional", true},
                                    {"source", "blocks.1.norm"},
                                    {"source_shape", json::array({1, 2})}});
  toy::Setup first = toy::setup(manifest), second = toy::setup(manifest);
  const std::vector<float> values = {3, std::numeric_limits<float>::infinity()};
  first.device->upload(first.state->parameter(3), values.data(), 8);
  EXPECT_EQ(first.state->nonFiniteParameter(), "");
  runtime::toy::TemporaryFolder folder;
  ASSERT_FALSE(writeModel(*first.state, folder.path(), "{}"));
  io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(folder.path());
  ASSERT_TRUE(bool(checkpoint));
  ASSERT_FALSE(second.state->load(*checkpoint));
  std::map<std::string, HostTensor> tensors = byName(second.state->tensors());
  EXPECT_EQ(tensors["blocks.1.norm"].shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(numbers<float>(tensors["blocks.1.norm"]), values);

  const std::vector<float> gradient = {1, 2, 3, 4};
  second.device->upload(second.state->gradient(toy::head), gradient.data(), 16);
  std::map<std::string, HostTensor> gradients = byName(second.state->gradients());
  ASSERT_EQ(gradients.size(), 3u); // The bias has none.
  EXPECT_EQ(gradients["blocks.1.norm"].shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(numbers<float>(gradients["blocks.1.norm"]), (std::vector<float>{0, 0}));
  EXPECT_EQ(numbers<float>(gradients["out"]), (std::vector<float>{2, 4, 1, 3}));
  EXPECT_EQ(byName(second.state->optimizer()).count("moment1.layers.1.input_norm.weight"), 0u);
}

TEST(State, AMissingOrMisshapenTensorIsNamed) {
  runtime::toy::TemporaryFolder folder;
  toy::Setup setup = toy::setup();
  std::vector<float> values(33);
  io::TensorView view{"table", io::DType::F32, {11, 3}, reinterpret_cast<const uint8_t *>(values.data()), 132};
  std::string path = folder.path() + "/m.safetensors";
  auto errorWith = [&](const std::vector<io::TensorView> &views) {
    EXPECT_TRUE(bool(io::writeSafetensors(path, views)));
    io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(path);
    Failure failure = setup.state->load(*checkpoint);
    return failure ? failure->message : "";
  };
  EXPECT_EQ(errorWith({view}), path + ": tensor 'out': missing; the model needs it with shape [2, 2]");
  io::TensorView out{"out", io::DType::F32, {4}, view.data, 16};
  EXPECT_EQ(errorWith({view, out}), path + ": tensor 'out': has shape [4], the model needs [2, 2]");
  out.shape = {2, 2};
  io::TensorView average{"layers.0.router.ema", io::DType::F32, {3}, view.data, 12};
  EXPECT_EQ(errorWith({view, out, average}), path + ": tensor 'layers.0.router.ema': must have one number a mode");
}

TEST(State, ABinaryWithoutTrainingIsAnError) {
  Result<std::unique_ptr<runtime::CpuDevice>> device = runtime::CpuDevice::create(1);
  Result<std::unique_ptr<State>> state = State::create(**device, *runtime::toy::model(), false);
  ASSERT_FALSE(bool(state));
  EXPECT_EQ(state.error().message, "toy.chm: has no training programs; compile it with --phases=train");
}

TEST(State, ARouterNeedsItsBias) {
  json manifest = toy::manifest();
  manifest["parameters"][2]["name"] = "layers.1.router.bias";
  std::shared_ptr<const runtime::Model> model = toy::load(manifest);
  Result<std::unique_ptr<runtime::CpuDevice>> device = runtime::CpuDevice::create(1);
  Result<std::unique_ptr<State>> state = State::create(**device, *model, false);
  ASSERT_FALSE(bool(state));
  EXPECT_EQ(state.error().message, "toy.chm: parameter 'layers.0.router.bias' must have one element a mode");
}

/// A state of its own with its model and device, which has loaded nothing.
struct Empty {
  explicit Empty(const json &manifest) : model(toy::load(manifest)) {
    device = std::move(*runtime::CpuDevice::create(1));
    Result<std::unique_ptr<State>> made = State::create(*device, *model, false);
    if (made)
      state = std::move(*made);
    else
      error = made.error().message;
  }

  std::vector<float> parameter(size_t index) const {
    std::vector<float> values(size_t(model->manifest().parameters[index].elements));
    device->download(values.data(), state->parameter(index), values.size() * sizeof(float));
    return values;
  }

  std::shared_ptr<const runtime::Model> model;
  std::unique_ptr<runtime::CpuDevice> device;
  std::unique_ptr<State> state;
  std::string error;
};

io::TensorView view(const char *name, std::vector<int64_t> shape, const std::vector<float> &values) {
  return {name, io::DType::F32, std::move(shape), reinterpret_cast<const uint8_t *>(values.data()), values.size() * 4};
}

/// Writes the tensors of a model to the folder, reads them with `state`, and writes them again: the path of that file.
std::string rewritten(State &state, const std::string &folder, const std::vector<io::TensorView> &tensors) {
  std::string path = folder + "/given.safetensors";
  EXPECT_TRUE(bool(io::writeSafetensors(path, tensors)));
  io::Result<io::Checkpoint> given = io::Checkpoint::open(path);
  EXPECT_TRUE(bool(given));
  Failure failure = state.load(*given);
  EXPECT_FALSE(failure) << failure->message;
  EXPECT_FALSE(writeModel(state, folder + "/written", "{}"));
  return folder + "/written";
}

/// Each of the tensors is in the checkpoint, bit for bit.
void expectHolds(const std::string &path, const std::vector<io::TensorView> &tensors) {
  io::Result<io::Checkpoint> written = io::Checkpoint::open(path);
  ASSERT_TRUE(bool(written)) << written.error().message;
  for (const io::TensorView &tensor : tensors) {
    const io::StoredTensor *found = written->find(tensor.name);
    ASSERT_TRUE(found) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape) << tensor.name;
    std::vector<uint8_t> bytes(found->bytes);
    ASSERT_EQ(found->bytes, tensor.bytes) << tensor.name;
    ASSERT_TRUE(bool(found->read(0, found->elements(), bytes.data())));
    EXPECT_EQ(std::memcmp(bytes.data(), tensor.data, bytes.size()), 0) << tensor.name;
  }
}

/// The toy with its table as the rows from `row` on of the tensor "both" [rows, 3], and, if it has any, a parameter
/// "first" as those from `firstRow` on.
json manifestOfParts(int64_t rows, int64_t row, int64_t firstRows, int64_t firstRow = 0) {
  json manifest = toy::manifest();
  manifest["parameters"][toy::table].update({{"source", "both"}, {"source_shape", {rows, 3}}, {"source_row", row}});
  if (firstRows)
    manifest["parameters"].push_back({{"name", "first"},
                                      {"shape", {firstRows, 3}},
                                      {"dtype", "f32"},
                                      {"optional", false},
                                      {"source", "both"},
                                      {"source_shape", {rows, 3}},
                                      {"source_row", firstRow}});
  return manifest;
}

TEST(State, PartsOfATensorAreWrittenAsTheOneTensor) {
  runtime::toy::TemporaryFolder folder;
  Empty made(manifestOfParts(16, 5, 5));
  ASSERT_TRUE(made.state) << made.error;
  std::vector<float> both(48), out = {10, 11, 12, 13};
  for (size_t i = 0; i < both.size(); ++i)
    both[i] = 0.3f * float(i) - 5;
  std::vector<io::TensorView> tensors = {view("both", {16, 3}, both), view("out", {2, 2}, out)};
  expectHolds(rewritten(*made.state, folder.path(), tensors), tensors);
  EXPECT_EQ(made.parameter(3), std::vector<float>(both.begin(), both.begin() + 15));
  EXPECT_EQ(made.parameter(toy::table), std::vector<float>(both.begin() + 15, both.end()));

  std::vector<float> gradient(33);
  for (size_t i = 0; i < gradient.size(); ++i)
    gradient[i] = float(i + 1);
  made.device->upload(made.state->gradient(toy::table), gradient.data(), gradient.size() * sizeof(float));
  std::map<std::string, HostTensor> gradients = byName(made.state->gradients());
  ASSERT_EQ(gradients.size(), 2u);
  gradient.insert(gradient.begin(), 15, 0.0f); // Nothing reads the first rows.
  EXPECT_EQ(numbers<float>(gradients["both"]), gradient);
}

TEST(State, ATensorThatItsParametersDoNotMakeUpIsRefused) {
  auto error = [](const json &manifest) { return Empty(manifest).error; };
  const std::string begin = "toy.chm: the checkpoint's tensor 'both' could not be written after training: ";
  EXPECT_EQ(error(manifestOfParts(16, 5, 0)), begin + "no parameter takes its rows 0 .. 4");
  EXPECT_EQ(error(manifestOfParts(16, 0, 0)), begin + "no parameter takes its rows 11 .. 15");
  EXPECT_EQ(error(manifestOfParts(17, 6, 5)), begin + "no parameter takes its rows 5 .. 5");
  EXPECT_EQ(error(manifestOfParts(16, 4, 5)), begin + "parameters 'first' and 'table' take the same rows of it");
  EXPECT_EQ(error(manifestOfParts(11, 0, 11)), begin + "parameters 'table' and 'first' take the same rows of it");
  EXPECT_EQ(error(manifestOfParts(11, 0, 0)), "");
  json other = manifestOfParts(16, 5, 5);
  other["parameters"][3]["source_shape"] = {5, 1, 3};
  EXPECT_EQ(error(other), begin + "its parameters do not agree on its shape");
  other = toy::manifest();
  other["parameters"][toy::head]["source"] = "table";
  EXPECT_EQ(error(other), "toy.chm: the checkpoint's tensor 'table' could not be written after training: its "
                          "parameters do not agree on its shape");
  other = toy::manifest();
  other["parameters"][toy::bias].update({{"source", "biases"}, {"source_shape", json::array({4})}, {"source_row", 0}});
  other["parameters"].push_back({{"name", "more"},
                                 {"shape", json::array({2})},
                                 {"dtype", "f32"},
                                 {"optional", true},
                                 {"source", "biases"},
                                 {"source_shape", json::array({4})},
                                 {"source_row", 2}});
  EXPECT_EQ(error(other), "toy.chm: parameter 'layers.0.router.bias' must be a tensor of its own");
}

/// A binary's manifest for a config, without any launch.
json manifestOf(const Config &config) {
  json manifest = toy::manifest();
  manifest["parameters"] = json::array();
  for (const ParameterSpec &spec : parameters(config)) {
    json parameter = {{"name", spec.name},         {"shape", spec.shape},   {"dtype", "f32"},
                      {"optional", spec.optional}, {"source", spec.source}, {"source_shape", spec.sourceShape}};
    if (spec.sourceRow)
      parameter["source_row"] = *spec.sourceRow;
    manifest["parameters"].push_back(std::move(parameter));
  }
  manifest["variants"][0]["training"] = json::object();
  return manifest;
}

Config config(const std::string &hidden) {
  ConfigOrError read = parseConfig(R"({"model_type": "chimera", "vocab_size": 11, "hidden_size": )" + hidden +
                                       R"(, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 4,
    "intermediate_size": 16, "modes": [["ssm", "full"], ["full"]],
    "ssm": {"state_size": 4, "head_dim": 8}})",
                                   "config.json");
  EXPECT_TRUE(std::holds_alternative<Config>(read)) << std::get<std::string>(read);
  return std::get<Config>(read);
}

TEST(State, BeginsAsChimeraInitWrites) {
  Config model = config("8");
  std::shared_ptr<const runtime::Model> loaded = toy::load(manifestOf(model));
  Result<std::unique_ptr<runtime::CpuDevice>> device = runtime::CpuDevice::create(1);
  Result<std::unique_ptr<State>> state = State::create(**device, *loaded, false);
  ASSERT_TRUE(bool(state)) << state.error().message;
  ASSERT_FALSE((*state)->initialise(model, 5));
  std::map<std::string, HostTensor> tensors = byName((*state)->tensors());
  for (const ParameterSpec &spec : parameters(model))
    EXPECT_EQ(numbers<float>(tensors[spec.name]), initialTensor(model, spec, 5).values) << spec.name;
  Failure failure = (*state)->initialise(config("16"), 5);
  ASSERT_TRUE(bool(failure));
  EXPECT_EQ(failure->message, "toy.chm: parameter 'embed_tokens.weight' is not of this config");
}

/// State begins with what chimera-init writes for the config.
static void expectInitialTensors(const std::string &text) {
  ConfigOrError read = parseConfig(text, "config.json");
  ASSERT_TRUE(std::holds_alternative<Config>(read)) << std::get<std::string>(read);
  const Config &model = std::get<Config>(read);
  json manifest = manifestOf(model);
  manifest["model"]["layers"][0] = manifest["model"]["layers"][1]; // Without a router.
  Empty made(manifest);
  ASSERT_TRUE(made.state) << made.error;
  ASSERT_FALSE(made.state->initialise(model, 5));
  std::map<std::string, HostTensor> tensors = byName(made.state->tensors());
  std::vector<InitialTensor> expected = initialTensors(model, 5);
  EXPECT_EQ(tensors.size(), expected.size());
  for (const InitialTensor &tensor : expected) {
    EXPECT_EQ(tensors[tensor.name].shape, tensor.shape) << tensor.name;
    EXPECT_EQ(numbers<float>(tensors[tensor.name]), tensor.values) << tensor.name;
  }
}

TEST(State, BeginsAsChimeraInitWritesWhereTensorsArePutTogether) {
  // A tensor of two matrices, and such of all experts.
  for (const char *experts : {R"("num_local_experts": 0)", R"("num_local_experts": 3, "intermediate_size": 5)"})
    expectInitialTensors(std::string(R"({"model_type": "granitemoehybrid", "vocab_size": 11, "hidden_size": 64,
      "num_hidden_layers": 1, "num_attention_heads": 4, "mamba_n_heads": 8, "mamba_d_state": 4,
      "shared_intermediate_size": 6, )") +
                         experts + "}");
}

TEST(State, ANaNInAParameterIsFound) {
  toy::Setup setup = toy::setup();
  EXPECT_EQ(setup.state->nonFiniteParameter(), "");
  float nan = std::numeric_limits<float>::quiet_NaN();
  setup.device->upload(setup.state->parameter(toy::head) + 8, &nan, sizeof nan);
  EXPECT_EQ(setup.state->nonFiniteParameter(), "head");
  EXPECT_TRUE(setup.state->gradientsAreFinite());
  float infinity = -std::numeric_limits<float>::infinity();
  setup.device->upload(setup.state->gradient(toy::head), &infinity, sizeof infinity);
  EXPECT_FALSE(setup.state->gradientsAreFinite());
}

} // namespace
} // namespace chimera::train
