// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Weights.h"

#include "runtime/core/WeightsFill.h"
#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <sys/mman.h>

namespace chimera::runtime {

static constexpr size_t hugePage = size_t(2) << 20;

Weights::~Weights() {
  if (mapping)
    munmap(mapping, mappedBytes);
}

Failure Weights::allocate() {
  const Manifest &manifest = owner->manifest();
  const Variant &variant = owner->variant();
  size_t size = 0;
  // Each is at most 2^44 bytes, and there are at most 2^21: no sum overflows.
  auto place = [&](int64_t bytes) {
    size_t offset = size;
    size += (size_t(bytes) + 63) / 64 * 64;
    return offset;
  };
  rowMajor.assign(manifest.parameters.size(), absent);
  for (const Parameter *parameter : rowMajorParameters(manifest, variant))
    rowMajor[size_t(parameter - manifest.parameters.data())] = place(parameter->bytes);
  for (const PackedWeights &packed : variant.packed)
    panels.push_back(place(packed.bytes));
  if (size > size_t(1) << 46)
    return Error(owner->name() + ": the parameters are too large");
  if (size == 0)
    return std::nullopt;
  mappedBytes = size + hugePage;
  void *got = mmap(nullptr, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED)
    return systemError("getting " + std::to_string(size) + " bytes of memory for the parameters", errno);
  mapping = static_cast<uint8_t *>(got);
  base = mapping + (hugePage - reinterpret_cast<uintptr_t>(mapping) % hugePage) % hugePage;
  madvise(base, size, MADV_HUGEPAGE); // Only faster; a system without huge pages refuses.
  return std::nullopt;
}

Failure Weights::fill(const io::Checkpoint &checkpoint) {
  WeightsFill work(owner->manifest().parameters, checkpoint);
  for (size_t i = 0; i < rowMajor.size(); ++i)
    if (rowMajor[i] != absent)
      work.addRowMajor(i, base + rowMajor[i]);
  for (size_t i = 0; i < panels.size(); ++i)
    work.addPacked(owner->variant().packed[i], base + panels[i]);
  if (Failure failure = work.run())
    return failure;
  std::vector<uint8_t> prefix(owner->digest().begin(), owner->digest().end());
  prefix.insert(prefix.end(), owner->variant().name.begin(), owner->variant().name.end());
  valueDigest = work.digest(prefix);
  return std::nullopt;
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
  for (const Parameter &parameter : weights->owner->manifest().parameters)
    if (Failure failure = checkTensor(checkpoint, parameter))
      return *failure;
  if (Failure failure = weights->allocate())
    return *failure;
  if (Failure failure = weights->fill(checkpoint))
    return *failure;
  if (io::Status status = checkpoint.unchanged(); !status)
    return Error(status.error());
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
