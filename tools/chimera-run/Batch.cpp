// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Batch.h"

#include "runtime/io/Npy.h"
#include "runtime/io/Safetensors.h"
#include "tools/support/Streams.h"

namespace chimera::run {

using io::DType;
using io::Error;
using io::NpyArray;
using io::Result;
using io::Status;
using tools::nameOfInput;

/// Reads an array from a file or a stream.
static Result<NpyArray> readArray(const std::string &path) {
  if (!tools::isStream(path))
    return io::readNpy(path);
  Result<std::string> bytes = tools::readAll(path);
  if (!bytes)
    return bytes.error();
  Result<NpyArray> array = io::parseNpy(reinterpret_cast<const uint8_t *>(bytes->data()), bytes->size());
  if (!array)
    return Error{nameOfInput(path) + ": " + array.error().message};
  return array;
}

/// Reads an array of whole numbers, whatever their width.
static Result<NpyArray> readIntegers(const std::string &path) {
  Result<NpyArray> array = readArray(path);
  if (array && io::isFloat(array->dtype))
    return Error{nameOfInput(path) + ": whole numbers are needed, not " + io::nameOf(array->dtype)};
  return array;
}

static Status readLengths(const std::string &path, Batch &batch) {
  Result<NpyArray> array = readIntegers(path);
  if (!array)
    return array.error();
  if (array->shape != std::vector<int64_t>{batch.sequences})
    return Error{nameOfInput(path) + ": shape [" + std::to_string(batch.sequences) + "] is needed, not " +
                 io::shapeText(array->shape)};
  for (int64_t b = 0; b < batch.sequences; ++b) {
    int64_t length = array->integer(b);
    if (length < 0 || length > batch.width)
      return Error{nameOfInput(path) + ": [" + std::to_string(b) + "]: length " + std::to_string(length) +
                   " is outside 0.." + std::to_string(batch.width)};
    if (!batch.lengths.empty())
      batch.lengths[size_t(b)] = length;
  }
  return {};
}

static Status takeTokens(const std::string &path, const NpyArray &array, int64_t vocab, Batch &batch) {
  batch.tokens.assign(size_t(batch.sequences * batch.width), 0);
  for (int64_t b = 0; b < batch.sequences; ++b) {
    for (int64_t t = 0; t < batch.lengths[size_t(b)]; ++t) {
      int64_t token = array.integer(b * batch.width + t);
      if (token < 0 || token >= vocab)
        return Error{nameOfInput(path) + ": " + io::shapeText({b, t}) + ": token " + std::to_string(token) +
                     " is outside 0.." + std::to_string(vocab - 1)};
      batch.tokens[size_t(b * batch.width + t)] = int32_t(token);
    }
  }
  return {};
}

/// "ssm, full".
static std::string modeNames(uint32_t modes) {
  static constexpr const char *names[] = {"ssm", "swa", "full", "identity"};
  std::string text;
  for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
    if (modes >> mode & 1)
      text += (text.empty() ? "" : ", ") + std::string(names[mode]);
  return text.empty() ? "none" : text;
}

static Status readForced(const std::string &path, const chimera_model *model, int64_t layers, Batch &batch) {
  Result<NpyArray> array = readArray(path);
  if (!array)
    return array.error();
  std::vector<int64_t> shape = {batch.sequences, batch.width, layers};
  if (array->dtype != DType::I8 || array->shape != shape)
    return Error{nameOfInput(path) + ": i8 " + io::shapeText(shape) + " is needed, not " + io::nameOf(array->dtype) +
                 " " + io::shapeText(array->shape)};
  batch.forced.assign(array->data.size(), -1);
  for (size_t b = 0; b < batch.lengths.size(); ++b) {
    for (int64_t t = 0; t < batch.lengths[b]; ++t) {
      for (int64_t layer = 0; layer < layers; ++layer) {
        int64_t at = (int64_t(b) * batch.width + t) * layers + layer, mode = array->integer(at);
        uint32_t forceable = chimera_model_layer_forceable(model, layer);
        if (mode != -1 && !(mode >= 0 && mode < CHIMERA_MODE_COUNT && (forceable >> mode & 1)))
          return Error{nameOfInput(path) + ": " + io::shapeText({int64_t(b), t, layer}) + ": mode " +
                       std::to_string(mode) + " cannot be forced; that layer takes " + modeNames(forceable)};
        batch.forced[size_t(at)] = int8_t(mode);
      }
    }
  }
  return {};
}

Result<Batch> readBatch(const Options &options, const chimera_model *model, const chimera_model_info &info) {
  Result<NpyArray> tokens = readIntegers(*options.tokens);
  if (!tokens)
    return tokens.error();
  if (tokens->shape.empty() || tokens->shape.size() > 2)
    return Error{nameOfInput(*options.tokens) + ": shape [T] or [B, T] is needed, not " + io::shapeText(tokens->shape)};
  Batch batch;
  batch.sequences = tokens->shape.size() == 2 ? tokens->shape[0] : 1;
  batch.width = tokens->shape.back();
  if (batch.sequences && batch.width)
    batch.lengths.assign(size_t(batch.sequences), batch.width);
  if (!options.lengths.empty())
    if (Status status = readLengths(options.lengths, batch); !status)
      return status.error();
  if (!batch.lengths.empty())
    if (Status status = takeTokens(*options.tokens, *tokens, info.vocab_size, batch); !status)
      return status.error();
  if (!options.forceRouting.empty())
    if (Status status = readForced(options.forceRouting, model, info.layers, batch); !status)
      return status.error();
  return batch;
}

} // namespace chimera::run
