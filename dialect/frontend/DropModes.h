// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Taking modes that a trained model does not use out of it: their caches and weights cost memory in every sequence,
// whether a token takes them or not.
#ifndef CHIMERA_DIALECT_FRONTEND_DROPMODES_H
#define CHIMERA_DIALECT_FRONTEND_DROPMODES_H

#include "dialect/frontend/Config.h"

#include <array>
#include <string>
#include <vector>

namespace chimera {

/// How many tokens were admitted to each mode of each layer, [L].
using ModeCounts = std::vector<std::array<int64_t, numModes>>;

/// Counts the modes in a file as `chimera-run --routing` writes it: .npy, int8 [.., L]; -1 is no token. Errors: no such
/// array, another number of layers, a mode that a layer does not have, no token at all.
io::Result<ModeCounts> countModes(const std::string &path, const Config &config);

/// Drops from each layer with a router the modes to which at most `share` (0 .. 1) of its tokens were admitted. A token
/// whose router wants a dropped mode is admitted as if the mode had no room: to the next of full, swa, ssm, identity.
/// The last of a layer's modes in that order, which never refuses, stays. A layer that only skips is left without a
/// router. One line for each layer that loses modes.
std::vector<std::string> dropModes(Config &config, const ModeCounts &counts, double share);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_DROPMODES_H
