// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Initialise.h"
#include "runtime/device/ThreadPool.h"
#include "runtime/io/File.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/InitialFile.h"
#include "test/runtime-io/TempFolder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

using namespace chimera;

namespace {

Config exampleConfig(const char *ssm = R"({"state_size": 16, "head_dim": 32})") {
  std::string text = R"({"model_type": "chimera", "vocab_size": 256, "hidden_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "head_dim": 32, "intermediate_size": 256, "token_conv_kernel": 4, "norm": "layer",
    "ssm": )" + std::string(ssm) +
                     "}";
  ConfigOrError config = parseConfig(text, "config.json");
  EXPECT_TRUE(std::holds_alternative<Config>(config)) << std::get<std::string>(config);
  return std::get<Config>(config);
}

InitialTensor make(const Config &config, const std::string &name, uint64_t seed = 1) {
  for (const ParameterSpec &parameter : parameters(config))
    if (parameter.name == name)
      return initialTensor(config, parameter, seed);
  ADD_FAILURE() << "the model has no " << name;
  return {};
}

double mean(const std::vector<float> &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

double deviation(const std::vector<float> &values) {
  double centre = mean(values), sum = 0;
  for (float value : values)
    sum += (value - centre) * (value - centre);
  return std::sqrt(sum / double(values.size()));
}

void expectWithin(const std::vector<float> &values, double low, double high) {
  ASSERT_FALSE(values.empty());
  auto [least, most] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*least, low);
  EXPECT_LE(*most, high);
  EXPECT_LT(*least, *most) << "all values are equal";
}

TEST(Initialise, EqualSeedsGiveEqualWeightsAndOthersDiffer) {
  Config config = exampleConfig();
  for (const ParameterSpec &parameter : parameters(config))
    EXPECT_EQ(initialTensor(config, parameter, 5).values, initialTensor(config, parameter, 5).values) << parameter.name;
  EXPECT_NE(make(config, "embed_tokens.weight", 5).values, make(config, "embed_tokens.weight", 6).values);
}

TEST(Initialise, EachParameterHasNumbersOfItsOwn) {
  Config config = exampleConfig();
  EXPECT_NE(make(config, "layers.0.attn.q_proj.weight").values, make(config, "layers.1.attn.q_proj.weight").values);
  EXPECT_NE(make(config, "layers.0.attn.k_proj.weight").values, make(config, "layers.0.attn.v_proj.weight").values);
}

TEST(Initialise, EveryParameterIsFiniteAndHasTheShapeOfTheModel) {
  Config config = exampleConfig();
  for (const ParameterSpec &parameter : parameters(config)) {
    InitialTensor tensor = initialTensor(config, parameter, 3);
    EXPECT_EQ(tensor.shape, parameter.shape) << parameter.name;
    int64_t elements = 1;
    for (int64_t size : parameter.shape)
      elements *= size;
    EXPECT_EQ(int64_t(tensor.values.size()), elements) << parameter.name;
    for (float value : tensor.values)
      ASSERT_TRUE(std::isfinite(value)) << parameter.name;
  }
}

TEST(Initialise, MatricesAreNormalAndResidualOnesSmaller) {
  Config config = exampleConfig();
  // 32768 and 16384 draws: five standard errors of the deviation are 2.8 % and below.
  std::vector<float> embedding = make(config, "embed_tokens.weight").values;
  EXPECT_NEAR(mean(embedding), 0.0, 5 * 0.02 / std::sqrt(32768.0));
  EXPECT_NEAR(deviation(embedding), 0.02, 0.03 * 0.02);
  std::vector<float> output = make(config, "layers.0.attn.o_proj.weight").values;
  EXPECT_NEAR(deviation(output), 0.01, 0.03 * 0.01) << "0.02 / sqrt(2 layers * 2)";
}

TEST(Initialise, MambaParametersLieInTheRangesOfThePaper) {
  Config config = exampleConfig();
  expectWithin(make(config, "layers.0.ssm.A_log").values, 0.0, std::log(16.0) + 1e-6);
  std::vector<float> steps = make(config, "layers.0.ssm.dt_bias").values;
  for (float &step : steps)
    step = std::log1p(std::exp(step));
  expectWithin(steps, 1e-3 * (1 - 1e-5), 1e-1 * (1 + 1e-5));
  expectWithin(make(config, "layers.0.ssm.conv.weight").values, -0.5, 0.5);
  for (float value : make(config, "layers.0.ssm.D").values)
    EXPECT_EQ(value, 1.0f);
}

TEST(Initialise, DecayOfALinearStateRemembersTenToAThousandTokens) {
  Config config = exampleConfig(R"({"kind": "lti", "state_size": 64})");
  std::vector<float> decay = make(config, "layers.1.ssm.decay").values;
  for (float &value : decay)
    value = 1.0f / (1.0f + std::exp(-value));
  expectWithin(decay, 0.9 - 1e-5, 0.999 + 1e-5);
}

TEST(Initialise, NormsStartAsTheIdentity) {
  Config config = exampleConfig();
  for (const char *name : {"norm", "layers.0.input_norm", "layers.1.ffn_norm"}) {
    for (float value : make(config, std::string(name) + ".weight").values)
      EXPECT_EQ(value, 1.0f) << name;
    for (float value : make(config, std::string(name) + ".bias").values)
      EXPECT_EQ(value, 0.0f) << name;
  }
}

// Bit by bit: what a seed gives must not change.
TEST(Initialise, ManyNormalNumbersAreThoseOfTheFormula) {
  for (uint64_t seed : {uint64_t(0), uint64_t(1) << 63, ~uint64_t(0)}) {
    InitialNoise noise(seed, "layers.0.attn.q_proj.weight");
    for (uint64_t first : {uint64_t(0), uint64_t(7), (uint64_t(1) << 32) - 1000, (uint64_t(1) << 40) + 3}) {
      std::vector<float> values(40000), expected(values.size());
      noise.fillNormal(0.02, first, values.size(), values.data());
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i] = float(0.02 * noise.normal(first + i));
      EXPECT_EQ(std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)), 0) << seed << " " << first;
    }
    for (size_t count = 0; count < 140; ++count) {
      std::vector<float> values(count + 1, 3.0f);
      noise.fillNormal(0.7, 5, count, values.data());
      for (size_t i = 0; i < count; ++i)
        ASSERT_EQ(values[i], float(0.7 * noise.normal(5 + i))) << count;
      EXPECT_EQ(values[count], 3.0f) << "written past the end";
    }
  }
}

TEST(Initialise, PartsOfATensorArePutTogether) {
  ConfigOrError read = parseConfig(R"({"model_type": "granitemoehybrid", "vocab_size": 11, "hidden_size": 64,
      "num_hidden_layers": 2, "num_attention_heads": 4, "mamba_n_heads": 8, "mamba_d_state": 4,
      "shared_intermediate_size": 6, "num_local_experts": 0})",
                                   "config.json");
  ASSERT_TRUE(std::holds_alternative<Config>(read)) << std::get<std::string>(read);
  const Config &config = std::get<Config>(read);
  int found = 0;
  for (const InitialTensor &tensor : initialTensors(config, 1)) {
    if (tensor.name != "model.layers.1.shared_mlp.input_linear.weight")
      continue;
    ++found;
    EXPECT_EQ(tensor.shape, (std::vector<int64_t>{12, 64}));
    std::vector<float> both = make(config, "layers.1.ffn.gate_proj.weight").values;
    std::vector<float> up = make(config, "layers.1.ffn.up_proj.weight").values;
    both.insert(both.end(), up.begin(), up.end());
    EXPECT_EQ(tensor.values, both);
  }
  EXPECT_EQ(found, 1);
}

std::string fileOf(const InitialCheckpoint &checkpoint, int64_t threads, const std::string &path) {
  auto pool = runtime::ThreadPool::create(threads, size_t(256) << 10, runtime::Subnormals::Keep);
  EXPECT_TRUE(bool(pool));
  io::Status written = writeInitialCheckpoint(path, checkpoint, 11, **pool);
  EXPECT_TRUE(bool(written)) << written.error().message;
  return *io::readWhole(path);
}

TEST(InitialFile, DoesNotDependOnTheNumberOfThreads) {
  ConfigOrError read = parseConfig(R"({"model_type": "granitemoehybrid", "vocab_size": 1100, "hidden_size": 128,
      "num_hidden_layers": 2, "num_attention_heads": 4, "mamba_n_heads": 8, "mamba_d_state": 4,
      "shared_intermediate_size": 600, "num_local_experts": 0})",
                                   "config.json");
  ASSERT_TRUE(std::holds_alternative<Config>(read)) << std::get<std::string>(read);
  test::TempFolder folder;
  for (const Config &config : {std::get<Config>(read), exampleConfig()}) {
    std::vector<InitialTensor> tensors = initialTensors(config, 11);
    std::vector<io::TensorView> views;
    for (const InitialTensor &tensor : tensors)
      views.push_back({tensor.name, io::DType::F32, tensor.shape,
                       reinterpret_cast<const uint8_t *>(tensor.values.data()), tensor.values.size() * sizeof(float)});
    std::string path = folder.path() + "/model.safetensors";
    ASSERT_TRUE(bool(io::writeSafetensors(path, views, {{"format", "pt"}, {"seed", "11"}})));
    std::string expected = *io::readWhole(path);
    InitialCheckpoint checkpoint = initialCheckpoint(config, 11);
    for (int64_t threads : {1, 2, 7})
      EXPECT_TRUE(fileOf(checkpoint, threads, path) == expected) << threads;
  }
}

TEST(InitialFile, SaysThatItCannotBeWritten) {
  auto pool = runtime::ThreadPool::create(2, size_t(256) << 10, runtime::Subnormals::Keep);
  ASSERT_TRUE(bool(pool));
  io::Status written = writeInitialCheckpoint("/no/such/folder/x", initialCheckpoint(exampleConfig(), 1), 1, **pool);
  ASSERT_FALSE(bool(written));
  EXPECT_NE(written.error().message.find("/no/such/folder/x"), std::string::npos);
}

} // namespace
