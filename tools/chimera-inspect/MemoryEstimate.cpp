// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-inspect/MemoryEstimate.h"

#include "runtime/abi/chimera.h"
#include "runtime/io/Numbers.h"

#include <cmath>

namespace chimera::inspect {

using runtime::CacheKind;

static constexpr const char *modeNames[] = {"ssm", "swa", "full", "identity"};

const char *modeName(int mode) {
  return modeNames[mode];
}

io::Result<Fractions> parseFractions(const std::string &text) {
  Fractions fractions = {};
  std::array<bool, 4> seen = {};
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, end - at);
    size_t equals = part.find('=');
    int mode = 0;
    while (mode < CHIMERA_MODE_COUNT && (equals == std::string::npos || part.substr(0, equals) != modeNames[mode]))
      ++mode;
    if (mode == CHIMERA_MODE_COUNT)
      return io::Error{io::quote(part) + " is not MODE=SHARE with a mode of ssm, swa, full, identity"};
    if (seen[size_t(mode)])
      return io::Error{std::string(modeNames[mode]) + " is named twice"};
    seen[size_t(mode)] = true;
    std::optional<double> share = io::parseReal(part.substr(equals + 1));
    if (!share || !io::NumberRange{0, 1}.has(*share))
      return io::Error{io::quote(part) + ": the share is not a number in 0 .. 1"};
    fractions[size_t(mode)] = *share;
    at = end + 1;
  }
  return fractions;
}

Fractions layerFractions(const Fractions &fractions, uint32_t modes) {
  Fractions shares = {};
  double sum = 0, count = 0;
  for (size_t mode = 0; mode < shares.size(); ++mode) {
    if (modes >> mode & 1) {
      sum += fractions[mode];
      ++count;
    }
  }
  for (size_t mode = 0; mode < shares.size(); ++mode)
    if (modes >> mode & 1)
      shares[mode] = sum > 0 ? fractions[mode] / sum : 1 / count;
  return shares;
}

/// The pages of `entries` entries, with their entries in the page table.
static double listBytes(double entries, double pageEntries, double pageBytes) {
  return std::ceil(entries / pageEntries) * (pageBytes + sizeof(int32_t));
}

MemoryEstimate estimateMemory(const runtime::Manifest &manifest, int64_t batch, int64_t context,
                              const std::optional<Fractions> &fractions) {
  MemoryEstimate estimate;
  estimate.layers.resize(size_t(manifest.layers()), {});
  double sequences = double(batch), pageEntries = double(manifest.pages.entries);
  for (const runtime::Pool &pool : manifest.pools)
    estimate.layers[size_t(pool.layer)][size_t(pool.mode)] += sequences * double(pool.bytesPerSlot);
  for (const auto &cache : manifest.caches) {
    if (cache.kind != CacheKind::List)
      continue;
    const runtime::LayerModes &layer = manifest.model.layers[size_t(cache.layer)];
    Fractions shares = fractions ? layerFractions(*fractions, layer.modes) : layer.target;
    double entries = std::ceil(shares[CHIMERA_MODE_FULL] * double(context));
    estimate.layers[size_t(cache.layer)][size_t(cache.mode)] +=
        sequences * listBytes(entries, pageEntries, double(manifest.pages.bytes));
  }
  double width = double(manifest.model.keyValueHeads) * double(manifest.model.headDim);
  estimate.denseAssumed = width == 0;
  if (estimate.denseAssumed)
    width = double(manifest.model.hiddenSize);
  double pageBytes = pageEntries * 2 * width * double(io::sizeOf(manifest.dtype));
  estimate.denseLayer = sequences * listBytes(double(context), pageEntries, pageBytes);
  return estimate;
}

} // namespace chimera::inspect
