// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/WeightsFill.h"

#include "runtime/core/ProcessLimits.h"
#include "runtime/core/Quantised.h"
#include "runtime/device/FloatingPoint.h"
#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>

namespace chimera::runtime {

/// Bytes of a piece: enough to be worth taking, few enough that all threads end together.
static constexpr int64_t pieceBytes = int64_t(1) << 20;

Failure checkTensor(const io::Checkpoint &checkpoint, const Parameter &parameter) {
  auto error = [&](const std::string &what) {
    return Error(checkpoint.path() + ": tensor " + io::quote(parameter.source) + ": " + what);
  };
  const io::StoredTensor *tensor = checkpoint.find(parameter.source);
  // First, as a packed weight is missing or has another shape.
  if (std::string what = quantised(checkpoint, parameter.source); !what.empty())
    return error(what);
  if (!tensor)
    return parameter.optional ? Failure()
                              : error("missing; the model needs it with shape " + io::shapeText(parameter.sourceShape));
  if (tensor->shape != parameter.sourceShape)
    return error("has shape " + io::shapeText(tensor->shape) + ", the model needs " +
                 io::shapeText(parameter.sourceShape));
  if (!io::isFloat(tensor->dtype))
    return error(std::string("has dtype ") + io::nameOf(tensor->dtype) + ", the model needs a floating-point one");
  return std::nullopt;
}

void WeightsFill::cut(Piece whole, int64_t count, int64_t bytesEach) {
  int64_t step = std::max<int64_t>(pieceBytes / std::max<int64_t>(bytesEach, 1), 1);
  for (int64_t begin = 0; begin < count; begin += step) {
    whole.begin = begin;
    whole.bytesEach = bytesEach;
    whole.end = std::min(count, begin + step);
    pieces.push_back(whole);
  }
}

void WeightsFill::addRowMajor(size_t index, uint8_t *to) {
  const Parameter &parameter = parameters[index];
  Piece piece;
  piece.tensor = checkpoint.find(parameter.source);
  piece.parameter = index;
  piece.to = to;
  if (parameter.elements == 0)
    return;
  // Without an order of rows any cut will do.
  int64_t rows = parameter.rowPermutation.empty() ? parameter.elements : parameter.shape[0];
  cut(piece, rows, parameter.bytes / rows);
}

void WeightsFill::addPacked(const PackedWeights &packed, uint8_t *to) {
  std::vector<MatrixSource> sources;
  int64_t inputs = 0;
  for (int64_t index : packed.parameters) {
    const Parameter &parameter = parameters[size_t(index)];
    MatrixSource source;
    source.tensor = checkpoint.find(parameter.source);
    source.rounded = parameter.dtype;
    source.rows = parameter.rowPermutation.empty() ? nullptr : &parameter.rowPermutation;
    source.firstRow = parameter.sourceRow;
    source.outputs = parameter.shape[0];
    inputs = parameter.shape[1];
    sources.push_back(source);
  }
  Piece piece;
  piece.packed = &packed;
  piece.packer = std::make_shared<Packer>(packed, std::move(sources), inputs);
  piece.to = to;
  cut(piece, piece.packer->shape().panels, piece.packer->shape().panelBytes);
}

Failure WeightsFill::fillRows(const Piece &piece) const {
  if (!piece.tensor)
    return std::nullopt;
  const Parameter &parameter = parameters[piece.parameter];
  auto convert = [&](int64_t from, int64_t count, int64_t to) -> Failure {
    io::Status status = piece.tensor->convert(parameter.sourceBegin() + from, count, parameter.dtype,
                                              piece.to + to * io::sizeOf(parameter.dtype));
    return status ? Failure() : Error(status.error());
  };
  if (parameter.rowPermutation.empty())
    return convert(piece.begin, piece.end - piece.begin, piece.begin);
  int64_t columns = parameter.elements / parameter.shape[0];
  for (int64_t row = piece.begin; row < piece.end; ++row)
    if (Failure failure = convert(parameter.rowPermutation[size_t(row)] * columns, columns, row * columns))
      return failure;
  return std::nullopt;
}

Error WeightsFill::errorAt(const Piece &piece, const BadElement &bad) const {
  const Parameter &parameter = parameters[size_t(piece.packed->parameters[bad.source])];
  return Error(checkpoint.path() + ": tensor " + io::quote(parameter.source) + ": element " +
               io::shapeText({bad.row, bad.column}) + " is not a number of at most " +
               (piece.packed->format == WeightFormat::I8 ? "127 * 2^104, which int8" : "7.5 * 2^104, which int4") +
               " weights must be");
}

Failure WeightsFill::fillPanels(const Piece &piece, std::vector<uint8_t> &scratch) const {
  for (int64_t panel = piece.begin; panel < piece.end; ++panel) {
    auto bad = piece.packer->pack(panel, piece.to + panel * piece.packer->shape().panelBytes, scratch);
    if (!bad)
      return Error(bad.error());
    if (*bad)
      return errorAt(piece, **bad);
  }
  return std::nullopt;
}

Failure WeightsFill::fill(const Piece &piece, std::vector<uint8_t> &scratch) const {
  return piece.packed ? fillPanels(piece, scratch) : fillRows(piece);
}

Digest WeightsFill::digest(const std::vector<uint8_t> &prefix) const {
  std::vector<uint8_t> all = prefix;
  for (const Digest &digest : digests)
    all.insert(all.end(), digest.begin(), digest.end());
  return digestOf({all.data(), all.size()});
}

Failure WeightsFill::run(int64_t wanted) {
  digests.assign(pieces.size(), {});
  std::atomic<size_t> next{0};
  std::mutex mutex;
  size_t failedPiece = SIZE_MAX;
  Failure failure;
  std::exception_ptr thrown;
  auto work = [&] {
    KernelFloatingPoint mode(Subnormals::Keep);
    std::vector<uint8_t> scratch;
    for (size_t i; (i = next.fetch_add(1)) < pieces.size();) {
      try {
        const Piece &piece = pieces[i];
        Failure mine = fill(piece, scratch);
        digests[i] =
            digestOf({piece.to + piece.begin * piece.bytesEach, size_t((piece.end - piece.begin) * piece.bytesEach)});
        std::lock_guard<std::mutex> lock(mutex);
        if (mine && i < failedPiece) {
          failedPiece = i;
          failure = std::move(mine);
        }
      } catch (...) { // Out of memory.
        std::lock_guard<std::mutex> lock(mutex);
        thrown = std::current_exception();
      }
    }
  };
  std::vector<std::thread> helpers;
  size_t threads = std::min(size_t(wanted ? wanted : usableCpus()), pieces.size());
  try {
    while (helpers.size() + 1 < threads)
      helpers.emplace_back(work);
  } catch (const std::system_error &) { // Those that there are will do.
  }
  work();
  for (std::thread &helper : helpers)
    helper.join();
  if (thrown)
    std::rethrow_exception(thrown);
  return failure;
}

} // namespace chimera::runtime
