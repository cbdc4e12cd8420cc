// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Safetensors.h"

#include "runtime/io/SafetensorsHeader.h"

#include <set>
#include <sys/stat.h>

namespace chimera::io {

static bool isDirectory(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

static bool exists(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// A file mapped, with its header.
static Result<std::pair<MappedFile, SafetensorsHeader>> openFile(const std::string &path) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.error();
  Result<SafetensorsHeader> header = readSafetensorsHeader(file->data(), file->size());
  if (!header)
    return Error{quote(path) + ": " + header.error().message};
  return std::make_pair(std::move(*file), std::move(*header));
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
  auto take = [&](std::pair<MappedFile, SafetensorsHeader> opened, const std::set<std::string> *wanted) {
    for (TensorView &tensor : opened.second.tensors)
      if (!wanted || wanted->count(tensor.name))
        checkpoint.byName.emplace(tensor.name, std::move(tensor));
    checkpoint.meta.insert(opened.second.metadata.begin(), opened.second.metadata.end());
    checkpoint.files.push_back(std::move(opened.first));
  };
  if (!endsWith(file, ".json")) {
    auto opened = openFile(file);
    if (!opened)
      return opened.error();
    take(std::move(*opened), nullptr);
    return checkpoint;
  }

  Result<MappedFile> index = MappedFile::open(file);
  if (!index)
    return index.error();
  Result<ShardMap> shards = readSafetensorsIndex(index->data(), index->size());
  if (!shards)
    return Error{quote(file) + ": " + shards.error().message};
  size_t slash = file.rfind('/');
  std::string folder = slash == std::string::npos ? "" : file.substr(0, slash + 1);
  for (const auto &[shard, wanted] : *shards) {
    auto opened = openFile(folder + shard);
    if (!opened)
      return opened.error();
    take(std::move(*opened), &wanted);
    for (const std::string &tensor : wanted)
      if (!checkpoint.find(tensor))
        return Error{quote(file) + ": weight_map: " + quote(shard) + " does not hold " + quote(tensor)};
  }
  return checkpoint;
}

const TensorView *Checkpoint::find(const std::string &tensor) const {
  auto found = byName.find(tensor);
  return found == byName.end() ? nullptr : &found->second;
}

Status convert(const TensorView &tensor, DType to, void *out) {
  if (!isFloat(tensor.dtype))
    return Error{"tensor " + quote(tensor.name) + ": cannot convert " + nameOf(tensor.dtype) + " to " + nameOf(to)};
  convertElements(tensor.dtype, tensor.data, to, out, tensor.elements());
  return {};
}

} // namespace chimera::io
