// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/AtomicFile.h"
#include "runtime/io/SafetensorsHeader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace chimera::io {

/// The header's text, padded so that the data starts at a multiple of 8.
static Result<std::string> headerText(const std::vector<const TensorView *> &tensors,
                                      const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorView *tensor : tensors) {
    auto fail = [&](const char *what) { return Error{"tensor " + quote(tensor->name) + ": " + what}; };
    if (byteSize(tensor->shape, tensor->dtype) != tensor->bytes)
      return fail("shape and bytes disagree");
    if (tensor->name == "__metadata__" || header.contains(tensor->name))
      return fail("the name is taken");
    header[tensor->name] = {{"dtype", safetensorsName(tensor->dtype)},
                            {"shape", tensor->shape},
                            {"data_offsets", {offset, offset + tensor->bytes}}};
    offset += tensor->bytes;
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  } catch (const nlohmann::json::exception &) {
    return Error{"a name or metadata string is not UTF-8"};
  }
}

Status writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                        const std::map<std::string, std::string> &metadata) {
  // Wide elements first: so all are aligned.
  std::vector<const TensorView *> order;
  for (const TensorView &tensor : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorView *a, const TensorView *b) {
    int64_t sizeA = sizeOf(a->dtype), sizeB = sizeOf(b->dtype);
    return sizeA != sizeB ? sizeA > sizeB : a->name < b->name;
  });
  Result<std::string> header = headerText(order, metadata);
  if (!header)
    return Error{quote(path) + ": cannot write: " + header.error().message};

  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  uint64_t length = header->size(), offset = 8 + length;
  if (Status status = file->write(0, &length, sizeof length); !status)
    return status;
  if (Status status = file->write(8, header->data(), length); !status)
    return status;
  for (const TensorView *tensor : order) {
    if (Status status = file->write(offset, tensor->data, tensor->bytes); !status)
      return status;
    offset += tensor->bytes;
  }
  return file->commit();
}

} // namespace chimera::io
