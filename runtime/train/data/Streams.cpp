// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Streams.h"

#include "runtime/io/Affixes.h"
#include "runtime/io/FileKind.h"
#include "runtime/io/Vocabulary.h"
#include "runtime/train/data/Permutation.h"
#include "runtime/train/data/TokenBin.h"

#include <algorithm>
#include <cmath>

namespace chimera::train {

static bool isNpy(const std::string &path) {
  return io::endsWith(path, ".npy");
}

/// "T's position": [row, column] in an array with rows.
static std::string place(const std::vector<int64_t> &shape, int64_t index) {
  if (shape.size() == 1)
    return std::to_string(index);
  return "[" + std::to_string(index / shape[1]) + ", " + std::to_string(index % shape[1]) + "]";
}

/// Whether bytes look like token ids of two or four bytes: taken in pairs, all are ids.
static bool looksLikeIds(const std::vector<uint8_t> &bytes, int64_t vocabulary) {
  constexpr size_t least = 64;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    if (io::integerAt(io::DType::U16, bytes.data() + i, 0) >= vocabulary)
      return false;
  return bytes.size() >= least;
}

/// What a file that is none of ids begins with. The error: it is evidently no text either.
static io::Result<std::vector<uint8_t>> startOfText(const io::File &file) {
  constexpr size_t sampleBytes = size_t(64) << 10;
  io::Result<std::vector<uint8_t>> start = file.start(sampleBytes);
  if (!start)
    return start.error();
  if (std::string kind = io::mistakenFile(io::Wanted::Data, start->data(), start->size()); !kind.empty())
    return io::Error{io::quote(file.path()) + ": " + kind};
  return start;
}

/// A .bin without a header, where bytes are not tokens.
static io::Error widthNotSaid(const std::string &path) {
  return io::Error{io::quote(path) +
                   ": nothing says how wide its token ids are: u16:FILE or u32:FILE in --data does, " +
                   "of raw ids of two or four bytes each"};
}

/// Whether the bytes of a text are the model's tokens.
static io::Status checkBytes(const std::string &path, const std::vector<uint8_t> &start, const DataOptions &options) {
  if (options.bytesAreTokens)
    return {};
  if (io::Status status = io::bytesAreTokens(options.places, options.isNew ? 0 : options.vocabulary); !status)
    return io::endsWith(path, ".bin") ? widthNotSaid(path)
                                      : io::Error{io::quote(path) + ": " + status.error().message +
                                                  " (--tokenizer PATH names a tokenizer to encode it with)"};
  if (options.warn && looksLikeIds(start, options.vocabulary))
    options.warn(io::quote(path) + ": looks like token ids of two or four bytes each, but its bytes are taken as " +
                 "tokens; say u16:FILE or u32:FILE, or --tokenizer=bytes");
  return {};
}

io::Result<std::vector<std::string>> textsAmong(const std::vector<DataFile> &files) {
  std::vector<std::string> texts;
  for (const DataFile &which : files) {
    if (isNpy(which.path) || which.form != FileForm::ByName)
      continue;
    io::Result<io::File> file = io::File::open(which.path);
    if (!file)
      return file.error();
    io::Result<bool> isBin = hasTokenHeader(*file);
    if (!isBin)
      return isBin.error();
    if (*isBin)
      continue;
    if (io::Result<std::vector<uint8_t>> start = startOfText(*file); !start)
      return start.error();
    if (io::endsWith(which.path, ".bin"))
      return widthNotSaid(which.path);
    texts.push_back(which.path);
  }
  return texts;
}

/// The files, with one of token ids in the place of all texts.
static io::Result<std::vector<DataFile>> encoded(const std::vector<DataFile> &files, const DataOptions &options) {
  io::Result<std::vector<std::string>> texts = textsAmong(files);
  if (!texts)
    return texts.error();
  if (texts->empty())
    return files;
  io::Result<std::string> path = options.encode(*texts);
  if (!path)
    return path.error();
  std::vector<DataFile> list;
  auto text = texts->begin();
  for (const DataFile &which : files) {
    bool isText = text != texts->end() && which.form == FileForm::ByName && which.path == *text;
    if (!isText)
      list.push_back(which);
    else if (text++ == texts->begin())
      list.push_back({*path, FileForm::ByName});
  }
  return list;
}

/// A file that is no .npy: ids of two or four bytes, or bytes that are tokens, as an array.
static io::Result<io::NpyFile> openOther(const DataFile &which, const DataOptions &options) {
  io::Result<io::File> file = io::File::open(which.path);
  if (!file)
    return file.error();
  io::Result<std::optional<io::NpyFile>> ids = openTokenBin(*file, which.form, options.vocabulary);
  if (!ids)
    return ids.error();
  if (*ids) {
    io::Result<bool> suspicious = looksTwiceAsWide(**ids);
    if (!suspicious)
      return suspicious.error();
    if (*suspicious && options.warn)
      options.warn(io::quote(which.path) + ": every second id is 0, as of ids of four bytes; u32:FILE reads those");
    return std::move(**ids);
  }
  io::Result<std::vector<uint8_t>> start = startOfText(*file);
  if (!start)
    return start.error();
  if (io::Status status = checkBytes(which.path, *start, options); !status)
    return status.error();
  auto size = int64_t(file->size());
  return io::NpyFile{std::move(*file), io::DType::U8, {size}, 0};
}

io::Result<TokenFile> TokenFile::open(const DataFile &which, const DataOptions &options) {
  const std::string &path = which.path;
  if (isNpy(path) && which.form != FileForm::ByName)
    return io::Error{io::quote(path) + ": says itself how wide its ids are; leave u16: or u32: out"};
  io::Result<io::NpyFile> array = isNpy(path) ? io::openIntegers(path) : openOther(which, options);
  if (!array)
    return array.error();
  if (array->shape.size() != 1 && array->shape.size() != 2)
    return io::Error{io::quote(path) + ": tokens must be [T] or [B, T], not of rank " +
                     std::to_string(array->shape.size())};
  TokenFile file(std::move(*array));
  file.vocabulary = options.vocabulary;
  file.rowCount = file.array.shape.size() == 2 ? file.array.shape[0] : 1;
  file.length = file.array.shape.back();
  if (io::Status status = file.check(); !status)
    return status.error();
  return file;
}

/// Looks at every id once, a piece of the file at a time.
io::Status TokenFile::check() const {
  const io::DType type = array.dtype;
  const bool isByte = type == io::DType::U8;
  if ((isByte && vocabulary >= 256) || (type == io::DType::U16 && vocabulary >= 65536))
    return {};
  constexpr int64_t pieceElements = int64_t(1) << 17;
  std::vector<uint8_t> piece(size_t(std::min(pieceElements, array.elements()) * io::sizeOf(type)));
  for (int64_t first = 0; first < array.elements(); first += pieceElements) {
    int64_t count = std::min(pieceElements, array.elements() - first);
    if (io::Status status = array.read(first, count, piece.data()); !status)
      return status;
    for (int64_t i = 0; i < count; ++i)
      if (int64_t id = io::integerAt(type, piece.data(), i); id < 0 || id >= vocabulary)
        return io::Error{io::quote(array.file.path()) + ": " +
                         (isByte && !isNpy(array.file.path()) ? "byte " : "token ") + std::to_string(id) +
                         " at position " + place(array.shape, first + i) + " is outside the vocabulary of " +
                         std::to_string(vocabulary)};
  }
  return {};
}

io::Status TokenFile::read(int64_t row, int64_t at, int64_t count, int32_t *out) const {
  std::vector<uint8_t> raw(size_t(count * io::sizeOf(array.dtype)));
  if (io::Status status = array.read(row * length + at, count, raw.data()); !status)
    return status;
  for (int64_t i = 0; i < count; ++i) {
    int64_t id = io::integerAt(array.dtype, raw.data(), i);
    if (id < 0 || id >= vocabulary) // As no id was when the file was opened.
      return io::Error{io::quote(array.file.path()) + ": was changed while it was read"};
    out[i] = int32_t(id);
  }
  return {};
}

io::Result<std::unique_ptr<Dataset>> Streams::open(const std::vector<DataFile> &given, const DataOptions &options) {
  io::Result<std::vector<DataFile>> files = options.encode ? encoded(given, options) : given;
  if (!files)
    return files.error();
  std::unique_ptr<Streams> streams(new Streams);
  streams->length = options.length;
  streams->seed = options.seed;
  for (const DataFile &which : *files) {
    io::Result<TokenFile> file = TokenFile::open(which, options);
    if (!file)
      return file.error();
    uint64_t windowsOfRow = uint64_t(std::max<int64_t>(file->rowLength() - 1, 0) / options.length);
    uint64_t first = streams->windows;
    streams->windows += windowsOfRow * uint64_t(file->rows());
    streams->tokens += file->rows() * file->rowLength();
    if (windowsOfRow == 0)
      continue;
    if (streams->parts.size() >= io::File::mostHeld)
      file->release();
    streams->parts.push_back({std::move(*file), first, windowsOfRow});
  }
  const bool holdsOut = options.heldOut > 0;
  if (streams->windows < (holdsOut ? 2 : 1))
    return io::Error{"--data: " + io::quote(options.spec) + " has " + std::to_string(streams->tokens) + " tokens and " +
                     std::to_string(streams->windows) + " windows of " + std::to_string(options.length + 1) +
                     (holdsOut ? "; it takes two, one to train on and one held out" : "; it takes one") +
                     " (a shorter --seq gives more)"};
  auto wanted = uint64_t(std::llround(double(streams->windows) * options.heldOut));
  streams->heldOut = holdsOut ? std::clamp<uint64_t>(wanted, 1, streams->windows - 1) : 0;
  return std::unique_ptr<Dataset>(std::move(streams));
}

io::Status Streams::sequence(Split split, uint64_t index, SequenceView out) const {
  uint64_t train = windows - heldOut;
  uint64_t window =
      split == Split::HeldOut ? train + index % heldOut : Permutation(train, seed, index / train).at(index % train);
  auto after = std::upper_bound(parts.begin(), parts.end(), window,
                                [](uint64_t w, const Part &part) { return w < part.firstWindow; });
  const Part &part = *(after - 1);
  uint64_t inPart = window - part.firstWindow;
  auto row = int64_t(inPart / part.windowsOfRow), start = int64_t(inPart % part.windowsOfRow) * length;
  std::vector<int32_t> ids(size_t(length) + 1);
  if (io::Status status = part.file.read(row, start, length + 1, ids.data()); !status)
    return status;
  std::copy(ids.begin(), ids.end() - 1, out.tokens);
  std::copy(ids.begin() + 1, ids.end(), out.targets);
  if (out.classes)
    std::fill_n(out.classes, length, PositionClass::Other);
  return {};
}

std::string Streams::description() const {
  return std::to_string(tokens) + " tokens; " + std::to_string(windows - heldOut) + " windows to train on, " +
         (heldOut ? std::to_string(heldOut) + " held out" : "none held out to evaluate");
}

} // namespace chimera::train
