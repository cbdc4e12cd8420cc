// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What concerns the variants of a manifest: their kernels' symbols, and several in one binary.
#include "codegen/binary/Manifest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/JSON.h"
#include <set>

namespace chimera::binary {

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

} // namespace chimera::binary
