// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Safetensors.h"

#include "runtime/io/Affixes.h"
#include "runtime/io/FileKind.h"
#include "runtime/io/SafetensorsHeader.h"

#include <algorithm>
#include <sys/stat.h>

namespace chimera::io {

/// Of the text of an index: far more than any has.
static constexpr uint64_t indexLimit = uint64_t(1) << 30;

static bool isDirectory(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

static bool exists(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

/// The header of a file, whose tensors do not know their file yet.
static Result<SafetensorsHeader> readHeader(const File &file) {
  Result<std::vector<uint8_t>> start = file.start(kindBytes);
  if (!start)
    return start.error();
  Result<uint64_t> length = safetensorsHeaderSize(start->data(), start->size(), file.size());
  if (!length)
    return mistaken(Wanted::Checkpoint, file.path(), start->data(), start->size(), length.error().message);
  std::string text(size_t(*length), '\0');
  if (Status status = file.readAt(safetensorsPrefix, text.data(), text.size()); !status)
    return status.error();
  Result<SafetensorsHeader> header = parseSafetensorsHeader(text, file.size());
  if (!header)
    return Error{quote(file.path()) + ": " + header.error().message};
  return header;
}

/// Takes a file's tensors, or those of them that are wanted.
Status Checkpoint::addFile(const std::string &path, const std::set<std::string> *wanted) {
  Result<File> opened = File::open(path);
  if (!opened)
    return opened.error();
  Result<SafetensorsHeader> header = readHeader(*opened);
  if (!header)
    return header.error();
  files.push_back(std::make_unique<File>(std::move(*opened)));
  if (files.size() > File::mostHeld)
    files.back()->release();
  for (StoredTensor &tensor : header->tensors)
    if (!wanted || wanted->count(tensor.name)) {
      tensor.file = files.back().get();
      byName.emplace(tensor.name, std::move(tensor));
    }
  meta.insert(header->metadata.begin(), header->metadata.end());
  return {};
}

Result<Checkpoint> Checkpoint::open(const std::string &path) {
  std::string file = path;
  if (isDirectory(path)) {
    std::string single = path + "/model.safetensors", index = path + "/model.safetensors.index.json";
    if (!exists(single) && !exists(index))
      return Error{quote(path) + ": holds neither model.safetensors nor model.safetensors.index.json"};
    file = exists(single) ? single : index;
  }

  Checkpoint checkpoint;
  checkpoint.name = path;
  if (!endsWith(file, ".json")) {
    if (Status status = checkpoint.addFile(file, nullptr); !status)
      return status.error();
    return checkpoint;
  }

  Result<std::string> index = readWhole(file, indexLimit);
  if (!index)
    return index.error();
  Result<ShardMap> shards = readSafetensorsIndex(index->data(), index->size());
  if (!shards)
    return mistaken(Wanted::Index, file, index->data(), index->size(), shards.error().message);
  size_t slash = file.rfind('/');
  std::string folder = slash == std::string::npos ? "" : file.substr(0, slash + 1);
  for (const auto &[shard, wanted] : *shards) {
    if (Status status = checkpoint.addFile(folder + shard, &wanted); !status)
      return status.error();
    for (const std::string &tensor : wanted)
      if (!checkpoint.find(tensor))
        return Error{quote(file) + ": weight_map: " + quote(shard) + " does not hold " + quote(tensor)};
  }
  return checkpoint;
}

Status Checkpoint::unchanged() const {
  for (const std::unique_ptr<File> &file : files)
    if (Status status = file->unchanged(); !status)
      return status;
  return {};
}

const StoredTensor *Checkpoint::find(const std::string &tensor) const {
  auto found = byName.find(tensor);
  return found == byName.end() ? nullptr : &found->second;
}

Status StoredTensor::read(int64_t first, int64_t count, void *to) const {
  uint64_t size = uint64_t(sizeOf(dtype));
  return file->readAt(offset + uint64_t(first) * size, to, size_t(count) * size);
}

Status StoredTensor::convert(int64_t first, int64_t count, DType type, void *to) const {
  if (type == dtype)
    return read(first, count, to);
  constexpr size_t pieceBytes = size_t(128) << 10; // Stays in a core's cache between reading and converting.
  const int64_t step = int64_t(pieceBytes) / sizeOf(dtype);
  auto piece = std::make_unique<uint8_t[]>(size_t(std::min(step, count) * sizeOf(dtype)));
  for (int64_t done = 0; done < count; done += step) {
    int64_t here = std::min(step, count - done);
    if (Status status = read(first + done, here, piece.get()); !status)
      return status;
    convertElements(dtype, piece.get(), type, static_cast<uint8_t *>(to) + done * sizeOf(type), here);
  }
  return {};
}

} // namespace chimera::io
