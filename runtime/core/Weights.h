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
} // namespace chimera::io

namespace chimera::runtime {

/// All that the model's variant reads of its parameters: row-major copies of those that its launches name, and its
/// packed weights. Never changes; shared by sessions.
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
  /// Of the binary, its variant and every number that its kernels read: equal for weights that give equal logits bit by
  /// bit, whatever files and dtypes they were loaded from.
  const Digest &digest() const { return valueDigest; }
  /// The bytes of a parameter: row-major, 64-byte aligned. Null for one that no launch of the variant names.
  const void *data(size_t parameter) const { return at(rowMajor[parameter]); }
  /// The bytes of the variant's packed weights, 64-byte aligned.
  const void *packed(size_t index) const { return at(panels[index]); }
  /// The checkpoint's tensors that no parameter uses, by name.
  const std::vector<std::string> &unused() const { return unusedNames; }

private:
  static constexpr size_t absent = SIZE_MAX;

  Weights() = default;
  const void *at(size_t offset) const { return offset == absent ? nullptr : base + offset; }
  Failure allocate();
  Failure fill(const io::Checkpoint &checkpoint);
  void findUnused(const io::Checkpoint &checkpoint);

  std::shared_ptr<const Model> owner;
  uint8_t *mapping = nullptr; ///< One for all.
  size_t mappedBytes = 0;
  uint8_t *base = nullptr;      ///< In the mapping, at the start of a huge page.
  std::vector<size_t> rowMajor; ///< Offsets from `base`, by parameter.
  std::vector<size_t> panels;   ///< Likewise, by packed weights.
  Digest valueDigest{};
  std::vector<std::string> unusedNames;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_WEIGHTS_H
