// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Streams.h"

#include "runtime/train/data/Permutation.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

static bool isNpy(const std::string &path) {
  return path.size() >= 4 && path.compare(path.size() - 4, 4, ".npy") == 0;
}

/// "T's position": [row, column] in an array with rows.
static std::string place(const io::NpyArray &array, int64_t index) {
  if (array.shape.size() == 1)
    return std::to_string(index);
  return "[" + std::to_string(index / array.shape[1]) + ", " + std::to_string(index % array.shape[1]) + "]";
}

static io::Status checkArray(const std::string &path, const io::NpyArray &array, int64_t vocabulary) {
  if (array.dtype != io::DType::I32 && array.dtype != io::DType::I64)
    return io::Error{io::quote(path) + ": token ids must be int32 or int64, not " + io::nameOf(array.dtype)};
  if (array.shape.size() != 1 && array.shape.size() != 2)
    return io::Error{io::quote(path) + ": tokens must be [T] or [B, T], not of rank " +
                     std::to_string(array.shape.size())};
  int64_t count = int64_t(array.data.size()) / io::sizeOf(array.dtype);
  for (int64_t i = 0; i < count; ++i)
    if (int64_t id = array.integer(i); id < 0 || id >= vocabulary)
      return io::Error{io::quote(path) + ": token " + std::to_string(id) + " at position " + place(array, i) +
                       " is outside the vocabulary of " + std::to_string(vocabulary)};
  return {};
}

static io::Status checkBytes(const io::MappedFile &file, int64_t vocabulary) {
  for (size_t i = 0; vocabulary < 256 && i < file.size(); ++i)
    if (file.data()[i] >= vocabulary)
      return io::Error{io::quote(file.path()) + ": byte " + std::to_string(file.data()[i]) + " at position " +
                       std::to_string(i) + " is outside the vocabulary of " + std::to_string(vocabulary)};
  return {};
}

io::Result<TokenFile> TokenFile::open(const std::string &path, int64_t vocabulary) {
  if (isNpy(path)) {
    io::Result<io::NpyArray> array = io::readNpy(path);
    if (!array)
      return array.error();
    if (io::Status status = checkArray(path, *array, vocabulary); !status)
      return status.error();
    int64_t rows = array->shape.size() == 2 ? array->shape[0] : 1, length = array->shape.back();
    TokenFile file(std::move(*array));
    file.rowCount = rows;
    file.length = length;
    return file;
  }
  io::Result<io::MappedFile> bytes = io::MappedFile::open(path);
  if (!bytes)
    return bytes.error();
  if (io::Status status = checkBytes(*bytes, vocabulary); !status)
    return status.error();
  TokenFile file(std::move(*bytes));
  file.length = int64_t(std::get<io::MappedFile>(file.content).size());
  return file;
}

io::Result<std::unique_ptr<Dataset>> Streams::open(const std::vector<std::string> &paths, const DataOptions &options) {
  std::unique_ptr<Streams> streams(new Streams);
  streams->length = options.length;
  streams->seed = options.seed;
  for (const std::string &path : paths) {
    io::Result<TokenFile> file = TokenFile::open(path, options.vocabulary);
    if (!file)
      return file.error();
    uint64_t windowsOfRow = uint64_t(std::max<int64_t>(file->rowLength() - 1, 0) / options.length);
    uint64_t first = streams->windows;
    streams->windows += windowsOfRow * uint64_t(file->rows());
    streams->tokens += file->rows() * file->rowLength();
    if (windowsOfRow > 0)
      streams->parts.push_back({std::move(*file), first, windowsOfRow});
  }
  if (streams->windows < 2)
    return io::Error{"--data: " + io::quote(options.spec) + " has " + std::to_string(streams->tokens) + " tokens and " +
                     std::to_string(streams->windows) + " windows of " + std::to_string(options.length + 1) +
                     "; it takes two, one to train on and one held out (a shorter --seq gives more)"};
  auto wanted = uint64_t(std::llround(double(streams->windows) * options.heldOut));
  streams->heldOut = std::clamp<uint64_t>(wanted, 1, streams->windows - 1);
  return std::unique_ptr<Dataset>(std::move(streams));
}

void Streams::sequence(Split split, uint64_t index, SequenceView out) const {
  uint64_t train = windows - heldOut;
  uint64_t window =
      split == Split::HeldOut ? train + index % heldOut : Permutation(train, seed, index / train).at(index % train);
  auto after = std::upper_bound(parts.begin(), parts.end(), window,
                                [](uint64_t w, const Part &part) { return w < part.firstWindow; });
  const Part &part = *(after - 1);
  uint64_t inPart = window - part.firstWindow;
  auto row = int64_t(inPart / part.windowsOfRow), start = int64_t(inPart % part.windowsOfRow) * length;
  for (int64_t t = 0; t < length; ++t) {
    out.tokens[t] = part.file.token(row, start + t);
    out.targets[t] = part.file.token(row, start + t + 1);
    if (out.classes)
      out.classes[t] = PositionClass::Other;
  }
}

std::string Streams::description() const {
  return std::to_string(tokens) + " tokens; " + std::to_string(windows - heldOut) + " windows to train on, " +
         std::to_string(heldOut) + " held out";
}

} // namespace chimera::train
