// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What became of each key of a config: for whoever wants to know how a config was understood.
#ifndef CHIMERA_DIALECT_FRONTEND_KEYLOG_H
#define CHIMERA_DIALECT_FRONTEND_KEYLOG_H

#include "dialect/frontend/Json.h"

#include <string>
#include <string_view>
#include <vector>

namespace chimera {

/// What a key of a config is to its reader.
enum class KeyUse : uint8_t {
  NotReached,    ///< an error came before
  Read,          ///< decides over the model, or is checked to have the value that is supported
  NotSet,        ///< null, which stands for leaving it out
  WithoutEffect, ///< changes nothing, whatever its value
  Neutral,       ///< would change something, but has the value that changes nothing
  Ignored,       ///< would change how tokens are chosen, which the user of a binary may do otherwise
  Refused
};

/// The keys of one object in the order of the text, and what became of each.
class KeyLog {
public:
  struct Entry {
    std::string key;
    std::string value; ///< As text in one line, cut when long.
    KeyUse use = KeyUse::NotReached;
    std::string reason; ///< May be empty.
  };

  /// Lists the keys of `object`, none of them reached yet.
  void begin(const JsonValue &object);
  /// A later note replaces an earlier one, but nothing replaces Refused.
  void note(std::string_view key, KeyUse use, std::string_view reason = {});
  /// Refuses the key that `path` ("rope_scaling.factor", "eos_token_id[1]") begins with.
  void refuse(std::string_view path, std::string_view reason);

  const std::vector<Entry> &entries() const { return all; }

private:
  std::vector<Entry> all;
};

/// "read", "no effect: REASON", "refused: REASON", ...
std::string describe(const KeyLog::Entry &entry);

} // namespace chimera

#endif // CHIMERA_DIALECT_FRONTEND_KEYLOG_H
