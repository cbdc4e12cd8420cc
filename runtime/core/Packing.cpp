// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Packing.h"

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
    row = {source, order ? (*order)[size_t(output)] : output};
    ++output;
  }
  return rows;
}

/// `count` elements of a row from column `begin`, as `type`; those past the inputs are zeros.
void Packer::read(const Row &row, int64_t begin, int64_t count, io::DType type, void *to) const {
  const MatrixSource *source = row.row < 0 ? nullptr : &sources[row.source];
  int64_t there = source && source->data ? std::clamp<int64_t>(sizes.inputs - begin, 0, count) : 0;
  int64_t size = io::sizeOf(type);
  std::memset(static_cast<uint8_t *>(to) + there * size, 0, size_t((count - there) * size));
  if (there == 0)
    return;
  const uint8_t *from = source->data + (row.row * sizes.inputs + begin) * io::sizeOf(source->dtype);
  if (type != io::DType::F32 || source->rounded != io::DType::BF16 || packed.format != WeightFormat::F32)
    return io::convertElements(source->dtype, from, type, to, there);
  uint16_t narrow[chunkInputs];
  io::convertElements(source->dtype, from, io::DType::BF16, narrow, there);
  io::convertElements(io::DType::BF16, narrow, type, to, there);
}

template <typename T> void Packer::packPlain(const std::vector<Row> &rows, io::DType type, uint8_t *to) const {
  size_t group = size_t(packed.group);
  // Whole groups at a time.
  int64_t step = std::max<int64_t>(chunkInputs / packed.group, 1) * packed.group;
  std::vector<T> chunk(rows.size() * size_t(step));
  for (int64_t begin = 0; begin < sizes.padded; begin += step) {
    int64_t count = std::min(step, sizes.padded - begin);
    for (size_t n = 0; n < rows.size(); ++n)
      read(rows[n], begin, count, type, chunk.data() + n * size_t(step));
    for (size_t k = 0; k < size_t(count); k += group)
      for (size_t n = 0; n < rows.size(); ++n, to += group * sizeof(T))
        std::memcpy(to, chunk.data() + n * size_t(step) + k, group * sizeof(T));
  }
}

int groupExponent(float magnitude) {
  if (magnitude == 0)
    return -126;
  // magnitude = fraction * 2^e with a fraction in [1/2, 1); 127 * 2^(e - 7) is the largest that fits into seven bits.
  int e;
  std::frexp(magnitude, &e);
  e -= 7;
  if (double(magnitude) > std::ldexp(127.0, e))
    ++e;
  return std::max(e, -126);
}

int8_t groupNumber(float weight, double inverse) {
  // A double holds the quotient exactly. Adding and taking away 1.5 * 2^52 rounds it to an integer.
  constexpr double shift = 0x1.8p52;
  double quotient = std::min(std::max(double(weight) * inverse, -127.0), 127.0);
  return int8_t(quotient + shift - shift);
}

std::optional<BadElement> Packer::packI8(const std::vector<Row> &rows, uint8_t *to) const {
  size_t panel = rows.size(), group = size_t(packed.group);
  std::vector<int8_t> numbers(panel * size_t(scaleGroup));
  for (int64_t begin = 0; begin < sizes.padded; begin += scaleGroup) {
    int8_t *exponents = reinterpret_cast<int8_t *>(to);
    for (size_t n = 0; n < panel; ++n) {
      float weights[scaleGroup];
      read(rows[n], begin, scaleGroup, io::DType::F32, weights);
      float magnitude = 0;
      for (int64_t k = 0; k < scaleGroup; ++k) {
        if (!(std::fabs(weights[k]) <= largestWeight)) // nor a NaN
          return BadElement{rows[n].source, rows[n].row, begin + k};
        magnitude = std::max(magnitude, std::fabs(weights[k]));
      }
      int exponent = groupExponent(magnitude);
      exponents[n] = int8_t(exponent);
      double inverse = std::ldexp(1.0, -exponent);
      for (int64_t k = 0; k < scaleGroup; ++k)
        numbers[n * size_t(scaleGroup) + size_t(k)] = groupNumber(weights[k], inverse);
    }
    to += panel;
    for (size_t k = 0; k < size_t(scaleGroup); k += group)
      for (size_t n = 0; n < panel; ++n, to += group)
        std::memcpy(to, numbers.data() + n * size_t(scaleGroup) + k, group);
  }
  return std::nullopt;
}

std::optional<BadElement> Packer::pack(int64_t panel, uint8_t *to) const {
  std::vector<Row> rows = rowsOf(panel);
  if (packed.format == WeightFormat::I8)
    return packI8(rows, to);
  if (packed.format == WeightFormat::BF16)
    packPlain<uint16_t>(rows, io::DType::BF16, to);
  else
    packPlain<float>(rows, io::DType::F32, to);
  return std::nullopt;
}

} // namespace chimera::runtime
