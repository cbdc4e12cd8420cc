// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/Safetensors.h"
#include "runtime/io/SafetensorsHeader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

namespace chimera::io {

/// The header's text, padded so that the data starts at a multiple of 8.
static Result<std::string> headerText(const std::vector<const TensorView *> &tensors,
                                      const std::map<std::string, std::string> &metadata) {
  using nlohmann::json;
  std::set<std::string_view> names = {"__metadata__"};
  std::string text = "{";
  uint64_t offset = 0;
  try {
    if (!metadata.empty())
      text += "\"__metadata__\":" + json(metadata).dump();
    for (const TensorView *tensor : tensors) {
      auto fail = [&](const char *what) { return Error{"tensor " + quote(tensor->name) + ": " + what}; };
      if (byteSize(tensor->shape, tensor->dtype) != tensor->bytes)
        return fail("shape and bytes disagree");
      if (!names.insert(tensor->name).second)
        return fail("the name is taken");
      text += (text.size() > 1 ? "," : "") + json(tensor->name).dump() + ":{\"dtype\":\"" +
              safetensorsName(tensor->dtype) + "\",\"shape\":" + json(tensor->shape).dump() + ",\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(offset + tensor->bytes) + "]}";
      offset += tensor->bytes;
    }
  } catch (const json::exception &) {
    return Error{"a name or metadata string is not UTF-8"};
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string &path, const std::vector<TensorView> &tensors,
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
    return status.error();
  if (Status status = file->write(8, header->data(), length); !status)
    return status.error();
  std::vector<uint64_t> offsets(tensors.size());
  for (const TensorView *tensor : order) {
    offsets[size_t(tensor - tensors.data())] = offset;
    offset += tensor->bytes;
  }
  if (Status status = file->resize(offset); !status)
    return status.error();
  return SafetensorsWriter(std::move(*file), std::move(offsets));
}

Status SafetensorsWriter::write(size_t tensor, uint64_t offset, const void *data, size_t size) {
  return file.write(offsets[tensor] + offset, data, size);
}

Status writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                        const std::map<std::string, std::string> &metadata) {
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(path, tensors, metadata);
  if (!writer)
    return writer.error();
  for (size_t i = 0; i < tensors.size(); ++i)
    if (Status status = writer->write(i, 0, tensors[i].data, tensors[i].bytes); !status)
      return status;
  return writer->commit();
}

} // namespace chimera::io
