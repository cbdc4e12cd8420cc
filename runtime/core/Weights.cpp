// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Weights.h"

#include "runtime/io/Safetensors.h"

#include <cerrno>
#include <set>
#include <sys/mman.h>

namespace chimera::runtime {

Weights::~Weights() {
  if (base)
    munmap(base, size);
}

Failure Weights::allocate() {
  for (const Parameter &parameter : owner->manifest().parameters) {
    offsets.push_back(size);
    // Each is at most 2^44 bytes, and there are at most 2^20.
    if (__builtin_add_overflow(size, (size_t(parameter.bytes) + 63) / 64 * 64, &size))
      return Error(owner->name() + ": the parameters are too large");
  }
  if (size == 0)
    return std::nullopt;
  void *mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return systemError("getting " + std::to_string(size) + " bytes of memory for the parameters", errno);
  base = static_cast<uint8_t *>(mapping);
  return std::nullopt;
}

/// Whether the checkpoint has what the parameter needs.
static Failure checkParameter(const io::Checkpoint &checkpoint, const Parameter &parameter) {
  auto error = [&](const std::string &what) {
    return Error(checkpoint.path() + ": tensor " + io::quote(parameter.source) + ": " + what);
  };
  const io::TensorView *tensor = checkpoint.find(parameter.source);
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

void Weights::fill(const Parameter &parameter, const io::TensorView &tensor, uint8_t *to) {
  if (parameter.rowPermutation.empty())
    return io::convertElements(tensor.dtype, tensor.data, parameter.dtype, to, parameter.elements);
  int64_t columns = parameter.elements / parameter.shape[0];
  int64_t fromBytes = columns * io::sizeOf(tensor.dtype), toBytes = columns * io::sizeOf(parameter.dtype);
  for (size_t row = 0; row < parameter.rowPermutation.size(); ++row)
    io::convertElements(tensor.dtype, tensor.data + parameter.rowPermutation[row] * fromBytes, parameter.dtype,
                        to + int64_t(row) * toBytes, columns);
}

void Weights::findUnused(const io::Checkpoint &checkpoint) {
  std::set<std::string> used;
  for (const Parameter &parameter : owner->manifest().parameters)
    used.insert(parameter.source);
  for (const auto &tensor : checkpoint.tensors())
    if (!used.count(tensor.first))
      unusedNames.push_back(tensor.first);
}

Result<std::shared_ptr<const Weights>> Weights::load(std::shared_ptr<const Model> model,
                                                     const io::Checkpoint &checkpoint) {
  std::shared_ptr<Weights> weights(new Weights);
  weights->owner = std::move(model);
  const std::vector<Parameter> &parameters = weights->owner->manifest().parameters;
  for (const Parameter &parameter : parameters)
    if (Failure failure = checkParameter(checkpoint, parameter))
      return *failure;
  if (Failure failure = weights->allocate())
    return *failure;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (const io::TensorView *tensor = checkpoint.find(parameters[i].source)) // Otherwise zero, as the mapping is.
      fill(parameters[i], *tensor, weights->base + weights->offsets[i]);
  weights->findUnused(checkpoint);
  return std::shared_ptr<const Weights>(std::move(weights));
}

Result<std::shared_ptr<const Weights>> Weights::load(std::shared_ptr<const Model> model, const std::string &path) {
  io::Result<io::Checkpoint> checkpoint = io::Checkpoint::open(path);
  if (!checkpoint)
    return Error(checkpoint.error());
  return load(std::move(model), *checkpoint);
}

} // namespace chimera::runtime
