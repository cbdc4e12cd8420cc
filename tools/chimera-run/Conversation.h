// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Answering messages, with the caches kept from answer to answer.
#ifndef CHIMERA_TOOLS_CHIMERARUN_CONVERSATION_H
#define CHIMERA_TOOLS_CHIMERARUN_CONVERSATION_H

#include "tools/chimera-run/Generate.h"
#include "tools/chimera-run/Interrupt.h"
#include "tools/chimera-run/TextOutput.h"
#include "tools/generation/ChatTemplate.h"
#include "tools/generation/StopStrings.h"
#include "tools/generation/Tokenizer.h"

#include <memory>

namespace chimera::run {

/// Messages, and the one sequence of the engine's session that was fed with them. An answer feeds only the tokens that
/// follow those which were fed before; where the template changes what came before, all are fed again.
class Conversation : private Sequences {
public:
  /// What is given must live longer. The engine's session is started by the first answer, or before.
  Conversation(const Options &options, Engine &engine, const Tokenizer &tokenizer, ChatTemplate &chatTemplate,
               TextOutput &out)
      : options(options), engine(engine), tokenizer(tokenizer), chatTemplate(chatTemplate), out(out),
        stop(options.stop) {}

  /// Makes `all`, an array of {role, content}, the messages so far.
  void setMessages(nlohmann::json all) { messages = std::move(all); }

  /// Adds a message, and the model's answer to it, which is printed as it comes, with a newline at its end. An answer
  /// ends with an end token, before a string of --stop, after --max-new-tokens, or with SIGINT, if `interrupt` is
  /// given. On an error the messages are as they were.
  io::Status answer(const std::string &message, const InterruptWatch *interrupt);
  /// Answers the messages that are there.
  io::Status answer(const InterruptWatch *interrupt);

private:
  io::Status prepareSequence();
  io::Status print(const std::string &part);

  int64_t count() const override { return 1; }
  std::string nameOf(int64_t) const override { return {}; }
  chimera_sequence resumed(int64_t) const override { return sequence; }
  Beginning begin(int64_t) override { return {tokens.data(), int64_t(tokens.size())}; }
  io::Status fed(int64_t, int64_t, int64_t, const int8_t *) override { return {}; }
  bool stops(int64_t) const override { return hasEnded || stop.found() || (interrupt && interrupt->interrupted()); }
  io::Status made(int64_t, int32_t token) override;
  io::Status ended(int64_t) override;

  const Options &options;
  Engine &engine;
  const Tokenizer &tokenizer;
  ChatTemplate &chatTemplate;
  TextOutput &out;
  nlohmann::json messages = nlohmann::json::array();

  chimera_sequence sequence = 0; ///< 0: none.
  std::vector<int32_t> consumed; ///< What it was fed.

  // Of the answer that is made now.
  std::vector<int32_t> tokens, newTokens;
  std::unique_ptr<text::StreamDecoder> decoder;
  StopStrings stop;
  std::string text;
  const InterruptWatch *interrupt = nullptr;
  std::optional<int32_t> endToken; ///< Ends an answer as the model's end tokens do.
  bool hasEnded = false;
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_CHIMERARUN_CONVERSATION_H
