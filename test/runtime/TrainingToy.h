// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A training binary that does not come from the compiler, for tests of the runtime (TrainingToyKernels.c).
#ifndef CHIMERA_TEST_RUNTIME_TRAININGTOY_H
#define CHIMERA_TEST_RUNTIME_TRAININGTOY_H

#include "runtime/device/CpuDevice.h"
#include "runtime/train/Step.h"
#include "test/runtime/ToyModel.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace chimera::train::toy {

using runtime::toy::TemporaryFolder;

constexpr int64_t vocab = 11, layers = 2, maxTokens = 256, maxSeqs = 32;
/// Parameters: the table [11][3], the head [4] (whose rows the checkpoint has in the order 2, 0, 3, 1 under the name
/// "out"), and the bias of layer 0's router, which is not trainable. Layer 0 has the modes ssm (target 0.75) and full.
constexpr size_t table = 0, head = 1, bias = 2;

/// The manifest for parameters of "f32" or "f64".
nlohmann::json manifest(const std::string &dtype = "f32");
std::shared_ptr<const runtime::Model> load(const nlohmann::json &manifest);

/// A model with its device, state and programs.
struct Setup {
  std::shared_ptr<const runtime::Model> model;
  std::unique_ptr<runtime::CpuDevice> device;
  std::unique_ptr<State> state;
  std::unique_ptr<Programs> programs;

  /// All values of a parameter.
  std::vector<float> values(const uint8_t *from, size_t count) const;
  std::vector<float> parameter(size_t index) const { return values(state->parameter(index), index == table ? 33 : 4); }
  std::vector<float> gradient(size_t index) const { return values(state->gradient(index), index == table ? 33 : 4); }
};
/// With the parameters of `writeInitial`. Stops the test program on an error.
Setup setup(const nlohmann::json &manifest = toy::manifest(), int64_t threads = 1, bool totals = true);

/// Writes the first parameters as folder/model.safetensors; the path.
std::string writeInitial(const std::string &folder);

/// Sequences that are a function of their index: tokens, targets in 0 .. 10, every third not counted.
void readSequence(int64_t index, int64_t length, int32_t *tokens, int32_t *targets);

/// A step of `batch` sequences of 5 tokens.
TrainerOptions options(int64_t batch, int64_t accumulate = 1);
StepInput input(uint32_t step, int64_t length = 5);

/// Of ssm 0.5 and of full 0.25 in layer 0.
std::vector<double> prices();

} // namespace chimera::train::toy

#endif // CHIMERA_TEST_RUNTIME_TRAININGTOY_H
