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

/// A binary's manifest for a config, without any launch.
json manifestOf(const Config &config) {
  json manifest = toy::manifest();
  manifest["parameters"] = json::array();
  for (const ParameterSpec &spec : parameters(config))
    manifest["parameters"].push_back(
        {{"name", spec.name}, {"shape", spec.shape}, {"dtype", "f32"}, {"optional", spec.optional}});
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
