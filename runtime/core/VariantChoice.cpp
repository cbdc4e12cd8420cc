// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/VariantChoice.h"

#include "runtime/core/CpuFeatures.h"

#include <algorithm>

namespace chimera::runtime {

/// What a machine lacks for a variant, as a list; empty: nothing.
static std::string lackOf(const Variant &variant, const std::set<std::string> &flags,
                          const std::function<bool()> &permitTiles) {
  std::string list;
  for (const std::string &feature : variant.features)
    if (!flags.count(feature))
      list += (list.empty() ? "" : ", ") + feature;
  const std::vector<std::string> &needed = variant.features;
  bool needsTiles = std::find(needed.begin(), needed.end(), "amx_tile") != needed.end();
  if (list.empty() && needsTiles && !permitTiles())
    list = "the system's permission for AMX tiles";
  return list;
}

Result<size_t> chooseVariant(const std::vector<Variant> &variants, const std::set<std::string> &flags,
                             const std::function<bool()> &permitTiles) {
  std::string all;
  for (size_t i = 0; i < variants.size(); ++i) {
    std::string lack = lackOf(variants[i], flags, permitTiles);
    if (lack.empty())
      return i;
    all += (all.empty() ? "" : "; ") + variants[i].name + ": " + lack;
  }
  return Error("needs CPU features that this machine lacks: " + all);
}

Result<size_t> chooseVariant(const std::vector<Variant> &variants) {
  return chooseVariant(variants, cpuFeatures(), permitAmxTiles);
}

} // namespace chimera::runtime
