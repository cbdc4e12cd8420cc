// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who may ask.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_APIKEYS_H
#define CHIMERA_TOOLS_CHIMERASERVE_APIKEYS_H

#include "runtime/io/Result.h"

#include <string>
#include <vector>

namespace chimera::serve {

/// Keys of which a request must have one.
class ApiKeys {
public:
  /// A key; `source` names it in messages. The error: it is empty, or has characters that no header can have.
  io::Status add(const std::string &key, const std::string &source);
  /// The keys of a file, one a line; empty lines and those that begin with # are none.
  io::Status addFile(const std::string &path);

  /// Whether requests need a key.
  bool needed() const { return !keys.empty(); }
  /// Whether an Authorization header has one of the keys: "Bearer KEY". The time that it takes does not depend on how
  /// much of a key is right.
  bool allows(const std::string &authorization) const;

private:
  std::vector<std::string> keys;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_APIKEYS_H
