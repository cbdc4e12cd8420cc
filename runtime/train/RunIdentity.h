// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes a run this run and no other, and where two of them differ.
#ifndef CHIMERA_RUNTIME_TRAIN_RUNIDENTITY_H
#define CHIMERA_RUNTIME_TRAIN_RUNIDENTITY_H

#include "runtime/core/Error.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace chimera::train {

/// A key that two identities have with different values, or that only one of them has.
struct IdentityDifference {
  std::string key;
  std::string theirs, ours; ///< Quoted, for messages; "absent".
  bool isNew = false;       ///< Whether only `ours` has it.

  /// "'--seed' is '0' THERE and '1' HERE".
  std::string text(const std::string &there, const std::string &here) const;
};

/// The keys in which two identities, JSON objects as texts, differ, in the order of their names. An error names the
/// text that is no JSON object.
runtime::Result<std::vector<IdentityDifference>> identityDifferences(const std::string &theirs,
                                                                     const std::string &ours);

/// Whether a run may be gone on with in spite of a difference, and then what to tell the user of it.
using Tolerance = std::function<std::optional<std::string>(const IdentityDifference &)>;

} // namespace chimera::train

#endif // CHIMERA_RUNTIME_TRAIN_RUNIDENTITY_H
