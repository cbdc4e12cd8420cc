// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Packing.h"

#include "runtime/core/QuantiseGroup.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace chimera::runtime {

/// Inputs that are converted at a time: a panel's part of them stays in the cache while it is put in order.
static constexpr int64_t chunkInputs = 128;

static std::vector<int64_t> outputsOf(const std::vector<MatrixSource> &sources) {
  std::vector<int64_t> outputs;
  for (const MatrixSource &source : sources)
    outputs.push_back(source.outputs);
  return outputs;
}

Packer::Packer(const PackedWeights &packed, std::vector<MatrixSource> given, int64_t inputs)
    : packed(packed), sources(std::move(given)), sizes(panelShape(packed, outputsOf(sources), inputs)) {}

std::vector<Packer::Row> Packer::rowsOf(int64_t panel) const {
  std::vector<Row> rows(static_cast<size_t>(packed.panel));
  size_t source = packed.interleaved ? size_t(panel % 2) : 0;
  int64_t output = (packed.interleaved ? panel / 2 : panel) * packed.panel;
  for (Row &row : rows) {
    while (!packed.interleaved && source < sources.size() && output >= sources[source].outputs)
      output -= sources[source++].outputs;
    if (source == sources.size() || output >= sources[source].outputs)
      break;
    const std::vector<int64_t> *order = sources[source].rows;
    row = {source, sources[source].firstRow + (order ? (*order)[size_t(output)] : output)};
    ++output;
  }
  return rows;
}

/// How many columns of a panel's rows are read at a time: what stays in a core's cache, but enough of each row to be
/// worth a read.
int64_t Packer::blockColumns(size_t rows) const {
  constexpr int64_t blockBytes = int64_t(256) << 10, leastColumns = 1024;
  int64_t size = 1;
  for (const MatrixSource &source : sources)
    if (source.tensor)
      size = std::max(size, io::sizeOf(source.tensor->dtype));
  int64_t columns = std::max(blockBytes / (int64_t(rows) * size), leastColumns), unit = unitColumns();
  return columns / unit * unit;
}

/// Columns that are put in order together: whole groups.
int64_t Packer::unitColumns() const {
  return abi::isQuantised(packed.format) ? scaleGroup : std::max<int64_t>(chunkInputs / packed.group, 1) * packed.group;
}

/// Reads columns begin .. begin + count - 1, those past the inputs left out.
io::Result<Packer::Block> Packer::load(const std::vector<Row> &rows, int64_t begin, int64_t count,
                                       std::vector<uint8_t> &scratch) const {
  Block block{begin, count, std::vector<const uint8_t *>(rows.size())};
  int64_t there = std::clamp<int64_t>(sizes.inputs - begin, 0, count);
  auto tensorOf = [&](size_t i) { return rows[i].row < 0 ? nullptr : sources[rows[i].source].tensor; };
  size_t bytes = 0;
  for (size_t i = 0; i < rows.size(); ++i)
    if (const io::StoredTensor *tensor = tensorOf(i))
      bytes += size_t(there * io::sizeOf(tensor->dtype));
  scratch.resize(std::max(scratch.size(), bytes));
  uint8_t *to = scratch.data();
  for (size_t i = 0; i < rows.size() && there > 0;) {
    const io::StoredTensor *tensor = tensorOf(i);
    size_t first = i++;
    if (!tensor)
      continue;
    // Whole rows that follow each other in the file are one read.
    while (there == sizes.inputs && i < rows.size() && tensorOf(i) == tensor && rows[i].row == rows[i - 1].row + 1)
      ++i;
    int64_t elements = int64_t(i - first) * there, size = io::sizeOf(tensor->dtype);
    if (io::Status status = tensor->read(rows[first].row * sizes.inputs + begin, elements, to); !status)
      return status.error();
    for (size_t row = first; row < i; ++row, to += there * size)
      block.rows[row] = to;
  }
  return block;
}

/// `count` elements of a row from column `begin` on, of which `from` has those there are, as `type`; the others are
/// zeros.
void Packer::read(const Row &row, const uint8_t *from, int64_t begin, int64_t count, io::DType type, void *to) const {
  int64_t there = from ? std::clamp<int64_t>(sizes.inputs - begin, 0, count) : 0;
  int64_t size = io::sizeOf(type);
  std::memset(static_cast<uint8_t *>(to) + there * size, 0, size_t((count - there) * size));
  if (there == 0)
    return;
  const MatrixSource &source = sources[row.source];
  io::DType given = source.tensor->dtype;
  if (type != io::DType::F32 || source.rounded != io::DType::BF16 || packed.format != WeightFormat::F32)
    return io::convertElements(given, from, type, to, there);
  uint16_t narrow[chunkInputs];
  io::convertElements(given, from, io::DType::BF16, narrow, there);
  io::convertElements(io::DType::BF16, narrow, type, to, there);
}

/// Where column `column` of a block's row is; null for zeros.
const uint8_t *Packer::at(const Block &block, const Row &row, size_t index, int64_t column) const {
  const uint8_t *start = block.rows[index];
  return start ? start + (column - block.begin) * io::sizeOf(sources[row.source].tensor->dtype) : nullptr;
}

/// Writes cell after cell of `cellBytes` neighbours of a row: the first of all rows, then the second.
template <size_t cellBytes>
static uint8_t *interleaveCells(const uint8_t *from, size_t rows, size_t rowBytes, size_t bytes, uint8_t *to) {
  for (size_t at = 0; at < bytes; at += cellBytes)
    for (size_t n = 0; n < rows; ++n, to += cellBytes)
      std::memcpy(to, from + n * rowBytes + at, cellBytes);
  return to;
}

/// Puts rows of `bytes` each, which begin `rowBytes` apart, into the order of a panel: cells of `cell` bytes.
static uint8_t *interleave(const uint8_t *from, size_t rows, size_t rowBytes, size_t bytes, size_t cell, uint8_t *to) {
  if (cell == 4) // As kernels have it: one f32, two bf16, four numbers of eight bits, eight of four.
    return interleaveCells<4>(from, rows, rowBytes, bytes, to);
  for (size_t at = 0; at < bytes; at += cell)
    for (size_t n = 0; n < rows; ++n, to += cell)
      std::memcpy(to, from + n * rowBytes + at, cell);
  return to;
}

template <typename T>
void Packer::packPlain(const std::vector<Row> &rows, const Block &block, io::DType type, uint8_t *to) const {
  int64_t step = unitColumns(), end = block.begin + block.count;
  std::vector<T> chunk(rows.size() * size_t(step));
  for (int64_t begin = block.begin; begin < end; begin += step) {
    int64_t count = std::min(step, end - begin);
    for (size_t n = 0; n < rows.size(); ++n)
      read(rows[n], at(block, rows[n], n, begin), begin, count, type, chunk.data() + n * size_t(step));
    to = interleave(reinterpret_cast<const uint8_t *>(chunk.data()), rows.size(), size_t(step) * sizeof(T),
                    size_t(count) * sizeof(T), size_t(packed.group) * sizeof(T), to);
  }
}

std::optional<BadElement> Packer::packQuantised(const std::vector<Row> &rows, const Block &block, uint8_t *to) const {
  size_t panel = rows.size(), numberBytes = size_t(abi::scaleGroupBytes(packed.format)) - 1;
  size_t cell = size_t(packed.group * abi::bitsOf(packed.format) / 8);
  std::vector<uint8_t> numbers(panel * numberBytes);
  for (int64_t begin = block.begin; begin < block.begin + block.count; begin += scaleGroup) {
    int8_t *exponents = reinterpret_cast<int8_t *>(to);
    for (size_t n = 0; n < panel; ++n) {
      float weights[scaleGroup];
      read(rows[n], at(block, rows[n], n, begin), begin, scaleGroup, io::DType::F32, weights);
      if (quantiseGroup(packed.format, weights, exponents[n], numbers.data() + n * numberBytes))
        continue;
      const float *bad = std::find_if(weights, weights + scaleGroup, [&](float weight) {
        return !(std::fabs(weight) <= largestWeight(packed.format));
      });
      return BadElement{rows[n].source, rows[n].row, begin + (bad - weights)};
    }
    to = interleave(numbers.data(), panel, numberBytes, numberBytes, cell, to + panel);
  }
  return std::nullopt;
}

io::Result<std::optional<BadElement>> Packer::pack(int64_t panel, uint8_t *to, std::vector<uint8_t> &scratch) const {
  std::vector<Row> rows = rowsOf(panel);
  int64_t step = blockColumns(rows.size()), columnBytes = sizes.padded ? sizes.panelBytes / sizes.padded : 0;
  for (int64_t begin = 0; begin < sizes.padded; begin += step) {
    io::Result<Block> block = load(rows, begin, std::min(step, sizes.padded - begin), scratch);
    if (!block)
      return block.error();
    if (abi::isQuantised(packed.format)) {
      if (std::optional<BadElement> bad = packQuantised(rows, *block, to))
        return bad;
      to += block->count / scaleGroup * int64_t(rows.size()) * abi::scaleGroupBytes(packed.format);
    } else if (packed.format == WeightFormat::BF16) {
      packPlain<uint16_t>(rows, *block, io::DType::BF16, to);
      to += block->count * columnBytes;
    } else {
      packPlain<float>(rows, *block, io::DType::F32, to);
      to += block->count * columnBytes;
    }
  }
  return std::optional<BadElement>();
}

} // namespace chimera::runtime
