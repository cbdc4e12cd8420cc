// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the tensors of a checkpoint to packed weights.
#ifndef CHIMERA_RUNTIME_CORE_PACKING_H
#define CHIMERA_RUNTIME_CORE_PACKING_H

#include "runtime/core/PackedLayout.h"
#include "runtime/io/DType.h"
#include "runtime/io/Safetensors.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace chimera::runtime {

/// Where the elements of one parameter come from.
struct MatrixSource {
  const io::StoredTensor *tensor = nullptr;   ///< Row-major; null: all zeros.
  io::DType rounded = io::DType::F32;         ///< The parameter's dtype, to which its elements are rounded.
  const std::vector<int64_t> *rows = nullptr; ///< Row i is the source's row [i]; null: as they are.
  int64_t firstRow = 0;                       ///< The row of the tensor at which it begins.
  int64_t outputs = 0;
};

/// An element that cannot be packed, by its place in the source.
struct BadElement {
  size_t source = 0;
  int64_t row = 0, column = 0; ///< Of the tensor.
};

/// Packs the sources of one PackedWeights, panel by panel. A panel depends on nothing but its own rows, so panels can
/// be made by several threads.
class Packer {
public:
  Packer(const PackedWeights &packed, std::vector<MatrixSource> sources, int64_t inputs);

  const PanelShape &shape() const { return sizes; }

  /// Writes panel `panel` to `to`, all of its bytes; a quantised panel only up to its first element that is infinite,
  /// too large or no number, which is returned. Fails when the tensor's file cannot be read. `scratch` is the caller's,
  /// for many panels.
  io::Result<std::optional<BadElement>> pack(int64_t panel, uint8_t *to, std::vector<uint8_t> &scratch) const;

private:
  /// A row of a panel: which row of which source.
  struct Row {
    size_t source = 0;
    int64_t row = -1; ///< Of the source's tensor; -1: padding.
  };

  /// Columns of a panel's rows, as their files have them.
  struct Block {
    int64_t begin = 0, count = 0;      ///< Of the columns.
    std::vector<const uint8_t *> rows; ///< By row; null: zeros.
  };

  std::vector<Row> rowsOf(int64_t panel) const;
  int64_t unitColumns() const;
  int64_t blockColumns(size_t rows) const;
  const uint8_t *at(const Block &block, const Row &row, size_t index, int64_t column) const;
  io::Result<Block> load(const std::vector<Row> &rows, int64_t begin, int64_t count,
                         std::vector<uint8_t> &scratch) const;
  void read(const Row &row, const uint8_t *from, int64_t begin, int64_t count, io::DType type, void *to) const;
  template <typename T>
  void packPlain(const std::vector<Row> &rows, const Block &block, io::DType type, uint8_t *to) const;
  std::optional<BadElement> packQuantised(const std::vector<Row> &rows, const Block &block, uint8_t *to) const;

  const PackedWeights &packed;
  std::vector<MatrixSource> sources;
  PanelShape sizes;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_PACKING_H
