// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parameters of a model in the form its kernels read.
#ifndef CHIMERA_RUNTIME_CORE_WEIGHTS_H
#define CHIMERA_RUNTIME_CORE_WEIGHTS_H

#include "runtime/core/Error.h"
#include "runtime/core/Model.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace chimera::io {
class Checkpoint;
struct TensorView;
} // namespace chimera::io

namespace chimera::runtime {

/// All parameters of one model binary, converted. Never changes; shared by sessions.
class Weights {
public:
  /// Loads from a checkpoint at `path` (a safetensors file, an index, a directory). An error names the parameter and
  /// what was expected and found.
  static Result<std::shared_ptr<const Weights>> load(std::shared_ptr<const Model> model, const std::string &path);
  /// The same from an open checkpoint.
  static Result<std::shared_ptr<const Weights>> load(std::shared_ptr<const Model> model,
                                                     const io::Checkpoint &checkpoint);
  ~Weights();

  const Model &model() const { return *owner; }
  /// The bytes of a parameter: row-major, 64-byte aligned.
  const void *data(size_t parameter) const { return base + offsets[parameter]; }
  /// The checkpoint's tensors that no parameter uses, by name.
  const std::vector<std::string> &unused() const { return unusedNames; }

private:
  Weights() = default;
  Failure allocate();
  static void fill(const Parameter &parameter, const io::TensorView &tensor, uint8_t *to);
  void findUnused(const io::Checkpoint &checkpoint);

  std::shared_ptr<const Model> owner;
  uint8_t *base = nullptr; ///< One mapping for all.
  size_t size = 0;
  std::vector<size_t> offsets;
  std::vector<std::string> unusedNames;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_WEIGHTS_H
