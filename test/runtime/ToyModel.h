// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model binary for tests of the runtime that does not come from the compiler, and a plain statement of what it
// computes.
#ifndef CHIMERA_TEST_RUNTIME_TOYMODEL_H
#define CHIMERA_TEST_RUNTIME_TOYMODEL_H

#include "runtime/core/Model.h"
#include "runtime/core/Session.h"
#include "runtime/core/Weights.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace chimera::runtime::toy {

constexpr int64_t vocab = 11;
constexpr int64_t layers = 2;
constexpr int64_t window = 5;
/// The limits are small, so that little work is cut already.
constexpr int64_t maxTokens = 7;
constexpr int64_t maxSeqs = 3;

/// The manifest of the toy model: in both layers the modes ssm and full, a state, a ring, a list and counts.
nlohmann::json manifest();

/// A whole file: the toy kernels with that manifest text, and the trailer.
std::vector<uint8_t> binary(const std::string &manifestText = manifest().dump());

/// Writes the weights of the toy model, times `factor`, as `folder`/model.safetensors; the path.
std::string writeWeights(const std::string &folder, float factor = 1.0f);

/// A new empty folder, removed with all it holds at the end of its life.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

/// The toy model and its weights, loaded once.
std::shared_ptr<const Model> model();
std::shared_ptr<const Weights> weights();
/// A session of them, with a poisoned arena.
std::unique_ptr<Session> session(SessionOptions options = {});

/// What the toy model computes for a sequence from its start.
struct Expected {
  std::vector<std::vector<float>> logits; ///< [T][vocab]
  std::vector<int8_t> routing;            ///< [T][layers]
};
/// `forced`: [T][layers] or empty.
Expected expected(const std::vector<int32_t> &tokens, const std::vector<int8_t> &forced = {});

/// `count` pseudo-random tokens.
std::vector<int32_t> randomTokens(uint32_t seed, int64_t count);

} // namespace chimera::runtime::toy

#endif // CHIMERA_TEST_RUNTIME_TOYMODEL_H
