// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Weights.h"
#include "runtime/io/Safetensors.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

namespace chimera::runtime {
namespace {

io::TensorView view(const char *name, std::vector<int64_t> shape, io::DType dtype, const void *data) {
  io::TensorView tensor;
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.data = static_cast<const uint8_t *>(data);
  tensor.bytes = uint64_t(io::sizeOf(dtype));
  for (int64_t extent : tensor.shape)
    tensor.bytes *= uint64_t(extent);
  return tensor;
}

/// Loads weights for the toy model from a checkpoint with these tensors.
Result<std::shared_ptr<const Weights>> load(const std::vector<io::TensorView> &tensors,
                                            std::shared_ptr<const Model> model = toy::model()) {
  toy::TemporaryFolder folder;
  EXPECT_TRUE(bool(io::writeSafetensors(folder.path() + "/model.safetensors", tensors)));
  Result<std::shared_ptr<const Weights>> weights = Weights::load(std::move(model), folder.path());
  if (weights)
    return weights;
  // The folder's name is random.
  std::string message = weights.error().message;
  return Error(message.substr(message.find("tensor")), weights.error().status);
}

const double values[11] = {0, 1.5, -2, 3, 4, 5, 6, 7, 8, 9, 1.0 / 3.0};

TEST(Weights, AreConvertedToTheManifestsDtypeAndOptionalOnesAreZero) {
  Result<std::shared_ptr<const Weights>> weights = load({view("scale", {11}, io::DType::F64, values)});
  ASSERT_TRUE(bool(weights));
  const float *scale = static_cast<const float *>((*weights)->data(0));
  const float *bias = static_cast<const float *>((*weights)->data(1));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(scale) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bias) % 64, 0u);
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(scale[i], float(values[i]));
    EXPECT_EQ(bias[i], 0.0f);
  }
}

TEST(Weights, TensorsThatTheModelDoesNotUseAreListed) {
  EXPECT_EQ(toy::weights()->unused(), std::vector<std::string>{"unused"});
}

TEST(Weights, AMissingOrMisshapenTensorIsNamed) {
  Result<std::shared_ptr<const Weights>> weights = load({view("other", {11}, io::DType::F64, values)});
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(weights.error().message, "tensor 'scale': missing; the model needs it with shape [11]");
  weights = load({view("scale", {11, 1}, io::DType::F64, values)});
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(weights.error().message, "tensor 'scale': has shape [11, 1], the model needs [11]");
  weights = load({view("scale", {11}, io::DType::F64, values), view("bias", {1}, io::DType::F64, values)});
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(weights.error().message, "tensor 'bias': has shape [1], the model needs [11]");
  weights = load({view("scale", {11}, io::DType::I64, values)});
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(weights.error().message, "tensor 'scale': has dtype i64, the model needs a floating-point one");
}

TEST(Weights, QuantisedOnesAreNamedAndRefused) {
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"][0]["source"] = "x.weight";
  Result<std::shared_ptr<const Model>> model = Model::load("m", toy::binary(manifest.dump()));
  ASSERT_TRUE(bool(model));
  const std::string end = "), and quantised weights are not read; take the checkpoint in bf16, f16 or f32";
  auto refused = [&](const std::vector<io::TensorView> &tensors) {
    Result<std::shared_ptr<const Weights>> weights = load(tensors, *model);
    return weights ? std::string() : weights.error().message;
  };
  using io::DType;
  auto of = [](const char *name, DType type) { return view(name, {4}, type, values); };
  EXPECT_EQ(refused({of("x.qweight", DType::I32), of("x.qzeros", DType::I32), of("x.g_idx", DType::I32)}),
            "tensor 'x.weight': is quantised (GPTQ: 'x.g_idx'" + end);
  EXPECT_EQ(refused({of("x.qweight", DType::I32), of("x.scales", DType::F16)}),
            "tensor 'x.weight': is quantised (GPTQ or AWQ: 'x.qweight'" + end);
  EXPECT_EQ(refused({of("x.weight_packed", DType::I32), of("x.weight_scale", DType::F16)}),
            "tensor 'x.weight': is quantised (compressed-tensors: 'x.weight_packed'" + end);
  EXPECT_EQ(refused({of("x.weight", DType::U8), of("x.weight.absmax", DType::U8)}),
            "tensor 'x.weight': is quantised (bitsandbytes, 4 bits: 'x.weight.absmax'" + end);
  EXPECT_EQ(refused({of("x.weight", DType::I8), of("x.SCB", DType::F32)}),
            "tensor 'x.weight': is quantised (bitsandbytes, int8: 'x.SCB'" + end);
  EXPECT_EQ(refused({of("x.weight", DType::F8E4M3), of("x.weight_scale_inv", DType::F32)}),
            "tensor 'x.weight': is quantised (fp8 with scales of blocks: 'x.weight_scale_inv'" + end);
  EXPECT_EQ(refused({view("x.weight", {11}, DType::F8E5M2, values)}),
            "tensor 'x.weight': is quantised (dtype f8e5m2" + end);
  // A float stays one, whatever is beside it.
  EXPECT_EQ(refused({view("x.weight", {11}, DType::F64, values), of("x.weight_scale", DType::F32)}), "");
}

TEST(Weights, SourceNamesAndRowPermutationsAreFollowed) {
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"][0]["source"] = "theirs";
  manifest["parameters"][0]["row_permutation"] = {10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Result<std::shared_ptr<const Model>> model = Model::load("m", toy::binary(manifest.dump()));
  ASSERT_TRUE(bool(model));
  Result<std::shared_ptr<const Weights>> weights = load({view("theirs", {11}, io::DType::F64, values)}, *model);
  ASSERT_TRUE(bool(weights));
  const float *scale = static_cast<const float *>((*weights)->data(0));
  EXPECT_EQ(scale[0], float(values[10]));
  EXPECT_EQ(scale[1], float(values[0]));
  EXPECT_EQ(scale[10], float(values[9]));
  EXPECT_TRUE((*weights)->unused().empty());
}

TEST(Weights, TheShapeInTheCheckpointMayDiffer) {
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"][0]["source_shape"] = {11, 1, 1};
  std::shared_ptr<const Model> model = *Model::load("m", toy::binary(manifest.dump()));
  Result<std::shared_ptr<const Weights>> weights = load({view("scale", {11, 1, 1}, io::DType::F64, values)}, model);
  ASSERT_TRUE(bool(weights));
  EXPECT_EQ(static_cast<const float *>((*weights)->data(0))[10], float(values[10]));
  weights = load({view("scale", {11}, io::DType::F64, values)}, model);
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(weights.error().message, "tensor 'scale': has shape [11], the model needs [11, 1, 1]");
}

/// The toy model, its first parameter with these fields.
std::shared_ptr<const Model> modelWith(const nlohmann::json &fields) {
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"][0].update(fields);
  Result<std::shared_ptr<const Model>> model = Model::load("m", toy::binary(manifest.dump()));
  EXPECT_TRUE(bool(model)) << model.error().message;
  return *model;
}

TEST(Weights, AParameterMayBeRowsOfATensor) {
  std::vector<double> all(30);
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = double(i) / 3;
  auto loaded = [&](int64_t row) {
    return load({view("all", {30}, io::DType::F64, all.data())},
                modelWith({{"source", "all"}, {"source_shape", nlohmann::json::array({30})}, {"source_row", row}}));
  };
  for (int64_t row : {0, 7, 19}) {
    Result<std::shared_ptr<const Weights>> weights = loaded(row);
    ASSERT_TRUE(bool(weights)) << weights.error().message;
    const float *scale = static_cast<const float *>((*weights)->data(0));
    for (int64_t i = 0; i < 11; ++i)
      EXPECT_EQ(scale[i], float(all[size_t(row + i)])) << row;
    EXPECT_TRUE((*weights)->unused().empty());
  }
  EXPECT_NE((*loaded(0))->digest(), (*loaded(7))->digest());
  // What is on disk is the whole tensor.
  Result<std::shared_ptr<const Weights>> weights =
      load({view("all", {11}, io::DType::F64, values)},
           modelWith({{"source", "all"}, {"source_shape", nlohmann::json::array({30})}, {"source_row", 7}}));
  ASSERT_FALSE(bool(weights));
  EXPECT_EQ(weights.error().message, "tensor 'all': has shape [11], the model needs [30]");
}

TEST(Weights, RowsOfATensorAreReadInPieces) {
  constexpr int64_t columns = 256, rows = 3000, first = 100;
  std::vector<float> all(size_t((rows + 150) * columns)), scale(size_t(rows * columns));
  for (size_t i = 0; i < all.size(); ++i)
    all[i] = float(i);
  Result<std::shared_ptr<const Weights>> weights =
      load({view("scale", {rows + 150, columns}, io::DType::F32, all.data())},
           modelWith({{"shape", {rows, columns}}, {"source_shape", {rows + 150, columns}}, {"source_row", first}}));
  ASSERT_TRUE(bool(weights)) << weights.error().message;
  EXPECT_EQ(std::memcmp((*weights)->data(0), all.data() + first * columns, scale.size() * sizeof(float)), 0);
}

TEST(Weights, TheDigestIsThatOfTheNumbersAlone) {
  auto digest = [](const std::vector<io::TensorView> &tensors) {
    Result<std::shared_ptr<const Weights>> weights = load(tensors);
    EXPECT_TRUE(bool(weights)) << weights.error().message;
    return (*weights)->digest();
  };
  std::vector<float> narrow(values, values + 11), zeros(11, 0.0f), changed = narrow;
  changed[10] = std::nextafter(changed[10], 1.0f);
  Digest wide = digest({view("scale", {11}, io::DType::F64, values)});
  EXPECT_EQ(digest({view("scale", {11}, io::DType::F32, narrow.data())}), wide);
  // A tensor that is not used does not count, nor does it matter whether zeros are there or meant.
  EXPECT_EQ(digest({view("other", {11}, io::DType::F64, values), view("scale", {11}, io::DType::F64, values)}), wide);
  EXPECT_EQ(digest({view("bias", {11}, io::DType::F32, zeros.data()), view("scale", {11}, io::DType::F64, values)}),
            wide);
  EXPECT_NE(digest({view("scale", {11}, io::DType::F32, changed.data())}), wide);
  EXPECT_NE(digest({view("bias", {11}, io::DType::F64, values), view("scale", {11}, io::DType::F64, values)}), wide);
}

TEST(Weights, TheDigestOfShardsIsThatOfOneFile) {
  toy::TemporaryFolder one, shards;
  std::vector<io::TensorView> tensors = {view("scale", {11}, io::DType::F64, values),
                                         view("bias", {11}, io::DType::F64, values)};
  ASSERT_TRUE(bool(io::writeSafetensors(one.path() + "/model.safetensors", tensors)));
  ASSERT_TRUE(bool(io::writeSafetensors(shards.path() + "/b.safetensors", {tensors[0]})));
  ASSERT_TRUE(bool(io::writeSafetensors(shards.path() + "/a.safetensors", {tensors[1]})));
  std::ofstream(shards.path() + "/model.safetensors.index.json")
      << R"({"weight_map": {"scale": "b.safetensors", "bias": "a.safetensors"}})";
  Result<std::shared_ptr<const Weights>> whole = Weights::load(toy::model(), one.path());
  Result<std::shared_ptr<const Weights>> parts = Weights::load(toy::model(), shards.path());
  ASSERT_TRUE(whole && parts);
  EXPECT_EQ((*whole)->digest(), (*parts)->digest());
}

TEST(Weights, TheDigestOfManyPiecesIsThatOfTheirNumbersInEveryForm) {
  // A matrix of several pieces, row by row and in panels of eight bits and of f32.
  nlohmann::json manifest = toy::manifest();
  manifest["parameters"].push_back({{"name", "m"}, {"shape", {3000, 256}}, {"dtype", "f32"}, {"optional", false}});
  nlohmann::json packed = {{"parameters", nlohmann::json::array({2})},
                           {"format", "f32"},
                           {"panel", 8},
                           {"group", 1},
                           {"interleaved", false},
                           {"bytes", 3000 * 256 * 4}};
  manifest["variants"][0]["packed"] = nlohmann::json::array({packed});
  for (const char *phase : {"prefill", "decode"}) {
    nlohmann::json &buffers = manifest["variants"][0]["phases"][phase]["launches"][2]["buffers"];
    buffers.push_back({"param", 2});
    buffers.push_back({"packed", 0});
  }
  Result<std::shared_ptr<const Model>> loaded = Model::load("m", toy::binary(manifest.dump()));
  ASSERT_TRUE(bool(loaded)) << loaded.error().message;
  std::shared_ptr<const Model> model = *loaded;
  std::vector<float> matrix(3000 * 256);
  for (size_t i = 0; i < matrix.size(); ++i)
    matrix[i] = float(i % 1013) - 500.0f;
  std::vector<double> wide(matrix.begin(), matrix.end());
  auto digest = [&](io::DType dtype, const void *data) {
    Result<std::shared_ptr<const Weights>> weights =
        load({view("scale", {11}, io::DType::F64, values), view("m", {3000, 256}, dtype, data)}, model);
    EXPECT_TRUE(bool(weights)) << weights.error().message;
    return (*weights)->digest();
  };
  Digest first = digest(io::DType::F32, matrix.data());
  for (int i = 0; i < 3; ++i) // Whoever did which piece.
    EXPECT_EQ(digest(io::DType::F64, wide.data()), first);
  for (size_t at : {size_t(0), size_t(300000), matrix.size() - 1}) {
    std::vector<float> other = matrix;
    other[at] += 0.5f;
    EXPECT_NE(digest(io::DType::F32, other.data()), first) << at;
  }
}

TEST(Weights, ACheckpointThatIsNotThereIsAnError) {
  EXPECT_FALSE(bool(Weights::load(toy::model(), "/no/such/folder")));
}

} // namespace
} // namespace chimera::runtime
