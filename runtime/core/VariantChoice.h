// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which of a binary's variants a machine runs.
#ifndef CHIMERA_RUNTIME_CORE_VARIANTCHOICE_H
#define CHIMERA_RUNTIME_CORE_VARIANTCHOICE_H

#include "runtime/core/Manifest.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace chimera::runtime {

/// The index of the first variant all of whose features this CPU has. A variant that needs AMX tiles also needs the
/// system's permission for this process, which is asked for here. The error lists what each variant lacks.
Result<size_t> chooseVariant(const std::vector<Variant> &variants);

/// The same for a machine with the features `flags`, on which `permitTiles` says whether AMX tiles are permitted.
Result<size_t> chooseVariant(const std::vector<Variant> &variants, const std::set<std::string> &flags,
                             const std::function<bool()> &permitTiles);

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_VARIANTCHOICE_H
