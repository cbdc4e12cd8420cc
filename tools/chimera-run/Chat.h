// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --chat and --messages.
#ifndef CHIMERA_TOOLS_CHIMERARUN_CHAT_H
#define CHIMERA_TOOLS_CHIMERARUN_CHAT_H

#include "tools/chimera-run/Options.h"
#include "tools/generation/ChatTemplate.h"
#include "tools/generation/Engine.h"

#include <nlohmann/json.hpp>

namespace chimera::run {

/// A conversation that is to be had.
class Chat {
public:
  /// Reads the chat template and --messages, so that what is wrong with them is said before a model is loaded.
  static io::Result<Chat> prepare(const Options &options);

  /// Answers the messages of --messages; or has the conversation of --chat: reads messages from the standard input, one
  /// a line, and prints the answers on the standard output. On a terminal an error takes the last message back and the
  /// conversation goes on.
  io::Status run(const Options &options, Engine &engine);

private:
  Chat(ChatTemplate chatTemplate, nlohmann::json messages)
      : chatTemplate(std::move(chatTemplate)), messages(std::move(messages)) {}

  ChatTemplate chatTemplate;
  nlohmann::json messages; ///< With which it begins.
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_CHAT_H
