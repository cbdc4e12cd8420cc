// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/StepCheck.h"

#include "runtime/cache/Snapshot.h"

namespace chimera::runtime {

static std::string place(const StepItem &item, int64_t row) {
  return "sequence " + std::to_string(item.sequence) + ", position " + std::to_string(item.position + row);
}

/// Whether a layer lets a mode be forced. The only mode of a layer is admitted anyway, so that routing that was written
/// out can be forced as it is.
static bool mayForce(const LayerModes &layer, int mode) {
  return mode == -1 ||
         (mode >= 0 && mode < CHIMERA_MODE_COUNT && ((layer.forceable >> mode & 1) || layer.modes == 1u << mode));
}

static Failure checkForced(const Manifest &manifest, const StepItem &item) {
  static const char *const names[] = {"ssm", "swa", "full", "identity"};
  for (int64_t row = 0; row < item.count; ++row)
    for (int64_t layer = 0; layer < manifest.layers(); ++layer) {
      int mode = item.forced[row * manifest.layers() + layer];
      if (mayForce(manifest.model.layers[size_t(layer)], mode))
        continue;
      std::string where = place(item, row) + ", layer " + std::to_string(layer) + ": ";
      if (mode < -1 || mode >= CHIMERA_MODE_COUNT)
        return Error(where + "forced mode " + std::to_string(mode) + " is not in -1 .. 3");
      return Error(where + "mode " + names[mode] + " cannot be forced");
    }
  return std::nullopt;
}

// What is right takes no memory: messages are made only for what is wrong.
Failure checkStepItem(const Manifest &manifest, const StepItem &item) {
  auto error = [&](const std::string &what, chimera_status status = CHIMERA_ERROR_INVALID) {
    return Error("sequence " + std::to_string(item.sequence) + ": " + what, status);
  };
  if (item.count < 0)
    return error(std::to_string(item.count) + " tokens");
  if (item.logits < CHIMERA_LOGITS_NONE || item.logits > CHIMERA_LOGITS_ALL)
    return error(std::to_string(item.logits) + " does not say which logits are wanted");
  if (item.count > mostPosition - item.position)
    return error("would have more than " + std::to_string(mostPosition) + " tokens", CHIMERA_ERROR_LIMIT);
  if (item.count > 0 && !item.tokens)
    return error("tokens are null");
  for (int64_t row = 0; row < item.count; ++row)
    if (item.tokens[row] < 0 || item.tokens[row] >= manifest.model.vocabSize)
      return Error(place(item, row) + ": token " + std::to_string(item.tokens[row]) + " is not in 0 .. " +
                   std::to_string(manifest.model.vocabSize - 1));
  return item.forced ? checkForced(manifest, item) : Failure();
}

} // namespace chimera::runtime
