// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What concerns the variants of a manifest: their kernels' symbols, their packed weights, and several in one binary.
#include "codegen/binary/Manifest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/JSON.h"
#include <set>

namespace chimera::binary {

namespace {

/// Inputs that share an exponent in the format i8.
constexpr int64_t scaleGroup = 32;

int64_t roundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

} // namespace

std::vector<std::string> kernelSymbols(const Variant &variant) {
  std::set<std::string> symbols;
  for (const Phase &phase : variant.phases)
    for (const Launch &launch : phase.launches)
      symbols.insert(launch.kernel);
  return {symbols.begin(), symbols.end()};
}

void suffixKernels(Variant &variant, const std::string &suffix) {
  for (Phase &phase : variant.phases)
    for (Launch &launch : phase.launches)
      launch.kernel += suffix;
}

llvm::Error appendVariant(Manifest &to, Manifest other) {
  std::vector<Variant> mine = std::move(to.variants), theirs = std::move(other.variants);
  to.variants.clear();
  other.variants.clear();
  // Their texts say what is equal and, by key, what is not.
  llvm::json::Value left = llvm::cantFail(llvm::json::parse(toJson(to)));
  llvm::json::Value right = llvm::cantFail(llvm::json::parse(toJson(other)));
  to.variants = std::move(mine);
  for (const auto &[key, value] : *left.getAsObject())
    if (const llvm::json::Value *same = right.getAsObject()->get(key); !same || *same != value)
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "manifest: the variants differ in '" + llvm::StringRef(key) + "'");
  for (Variant &variant : theirs) {
    if (llvm::any_of(to.variants, [&](const Variant &present) { return present.name == variant.name; }))
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "manifest: variant " + llvm::Twine(variant.name) + ": named twice");
    to.variants.push_back(std::move(variant));
  }
  return llvm::Error::success();
}

std::optional<int64_t> packedBytes(const PackedWeights &packed, const std::vector<Parameter> &parameters) {
  bool isI8 = packed.format == "i8", isBF16 = packed.format == "bf16";
  if (packed.parameters.empty() || packed.panel <= 0 || packed.group <= 0 || (isI8 && scaleGroup % packed.group != 0) ||
      (!isI8 && !isBF16 && packed.format != "f32") || (packed.interleaved && packed.parameters.size() != 2))
    return std::nullopt;
  int64_t rows = 0;
  const std::vector<int64_t> *first = nullptr;
  for (int64_t index : packed.parameters) {
    if (index < 0 || index >= static_cast<int64_t>(parameters.size()))
      return std::nullopt;
    const Parameter &parameter = parameters[index];
    first = first ? first : &parameter.shape;
    if (parameter.shape.size() != 2 || parameter.dtype == "f64" || parameter.shape[1] != (*first)[1] ||
        (packed.interleaved && parameter.shape != *first))
      return std::nullopt;
    rows += parameter.shape[0];
  }
  int64_t outputs = packed.interleaved ? 2 * roundUp((*first)[0], packed.panel) : roundUp(rows, packed.panel);
  int64_t inputs = roundUp((*first)[1], isI8 ? scaleGroup : packed.group);
  if (isI8)
    return outputs * (inputs + inputs / scaleGroup);
  return outputs * inputs * (isBF16 ? 2 : 4);
}

} // namespace chimera::binary
