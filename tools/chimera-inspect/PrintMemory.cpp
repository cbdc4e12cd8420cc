// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/abi/chimera.h"
#include "tools/chimera-inspect/Print.h"

#include <cstdio>

namespace chimera::inspect {

using Row = std::array<double, MemoryEstimate::purposes>;

static double sumOf(const Row &row) {
  double sum = 0;
  for (double bytes : row)
    sum += bytes;
  return sum;
}

static void printRow(const std::string &name, const Row &row, double dense) {
  std::printf("%5s", name.c_str());
  for (double bytes : row)
    std::printf(" %14.0f", bytes);
  std::printf(" %14.0f %18.0f\n", sumOf(row), dense);
}

void printMemory(const runtime::Manifest &manifest, int64_t batch, int64_t context,
                 const std::optional<Fractions> &fractions) {
  MemoryEstimate estimate = estimateMemory(manifest, batch, context, fractions);
  std::printf("cache bytes of %lld sequence(s) of %lld tokens\n", static_cast<long long>(batch),
              static_cast<long long>(context));
  if (fractions) {
    std::printf("shares of the tokens: ");
    for (int mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
      std::printf("%s%s %g", mode ? ", " : "", modeName(mode), (*fractions)[size_t(mode)]);
    std::printf("; renormalised over each layer's modes\n");
  } else {
    std::printf("shares of the tokens: assumed to be each layer's target (--fractions gives others)\n");
  }
  std::printf("dense: every layer full attention over all tokens, %s, the same dtype and pages\n",
              estimate.denseAssumed ? "keys and values of hidden_size each (the model has no attention)"
                                    : "the same key/value heads");
  std::printf("layer");
  for (size_t purpose = 0; purpose < MemoryEstimate::purposes; ++purpose)
    std::printf(" %14s", runtime::nameOf(runtime::CacheMode(purpose)));
  std::printf(" %14s %18s\n", "total", "dense");
  Row total = {};
  for (size_t layer = 0; layer < estimate.layers.size(); ++layer) {
    printRow(std::to_string(layer), estimate.layers[layer], estimate.denseLayer);
    for (size_t purpose = 0; purpose < total.size(); ++purpose)
      total[purpose] += estimate.layers[layer][purpose];
  }
  double dense = estimate.denseLayer * double(estimate.layers.size());
  printRow("all", total, dense);
  if (double bytes = sumOf(total); bytes > 0)
    std::printf("the dense Transformer's caches are %.2f times as large\n", dense / bytes);
}

} // namespace chimera::inspect
