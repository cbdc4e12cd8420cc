// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Weights.h"
#include "runtime/io/Safetensors.h"
#include "test/runtime/ToyModel.h"

#include <gtest/gtest.h>

#include <cstring>

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

TEST(Weights, ACheckpointThatIsNotThereIsAnError) {
  EXPECT_FALSE(bool(Weights::load(toy::model(), "/no/such/folder")));
}

} // namespace
} // namespace chimera::runtime
