// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the messages of a conversation to the text that a model was trained on.
#ifndef CHIMERA_TOOLS_GENERATION_CHATTEMPLATE_H
#define CHIMERA_TOOLS_GENERATION_CHATTEMPLATE_H

#include "tools/generation/HelperProcess.h"
#include "tools/generation/ModelOptions.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace chimera::run {

/// A model's chat template, which Jinja2 renders in a process of its own (render-chat.py): a template may come from
/// anyone.
class ChatTemplate {
public:
  /// The template of --chat-template; without it the one beside the tokenizer, or beside the weights or the binary
  /// where no tokenizer is (docs/tokenizers.md). The error: there is none, it cannot be read or is no template, or
  /// python3 or jinja2 is missing.
  static io::Result<ChatTemplate> open(const ModelOptions &options);

  /// Gives the template a token, such as "eos_token", that the files do not name.
  void setDefault(const std::string &name, const std::string &token) { variables.emplace(name, token); }
  /// The template itself.
  const std::string &source() const { return text; }
  /// The token with such a name.
  std::optional<std::string> token(const std::string &name) const;

  /// The text of messages, an array of {role, content}, and the beginning of an answer. The error names the template.
  io::Result<std::string> render(const nlohmann::json &messages);

private:
  /// A template and the name that messages call it by.
  struct Source {
    std::string name, text;
  };

  ChatTemplate(Source source, nlohmann::json variables, std::vector<std::string> command)
      : command(std::move(command)), name(std::move(source.name)), text(std::move(source.text)),
        variables(std::move(variables)) {}
  static io::Result<std::optional<Source>> find(const std::string &folder);
  io::Status start();
  io::Result<nlohmann::json> ask(const nlohmann::json &request);

  std::vector<std::string> command;    ///< As ModelOptions::renderChat.
  std::optional<HelperProcess> helper; ///< None after one has failed.
  std::string name, text;
  nlohmann::json variables; ///< The special tokens by their names.
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_CHATTEMPLATE_H
