// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The byte model with a tokenizer and chat templates.
#ifndef CHIMERA_TEST_CHIMERARUN_CHATMODEL_H
#define CHIMERA_TEST_CHIMERARUN_CHATMODEL_H

#include "test/chimera-run/ByteModel.h"

#include <nlohmann/json.hpp>

namespace chimera::test {

/// Bytes have their own values as ids; <s>, </s>, <|im_start|> and <|im_end|> follow from 257 on.
class ChatModelTest : public ByteModelTest {
protected:
  static constexpr const char *chatMl =
      "{% for message in messages %}\n"
      "  {%- if loop.first and message.role == 'system' and not message.content %}{% continue %}{% endif %}\n"
      "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}\n"
      "{%- endfor %}\n"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  /// Messages of the user and the assistant in turns, the system's in the first of the user.
  static constexpr const char *brackets =
      "{% if messages[0].role == 'system' %}{% set system = '<<SYS>>' + messages[0].content + '<</SYS>>' %}"
      "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
      "{% for message in messages %}"
      "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must take turns') }}"
      "{% endif %}"
      "{% if message.role == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else '') + "
      "message.content.strip() + ' [/INST]' }}{% else %}{{ ' ' + message.content | trim + ' ' + eos_token }}{% endif %}"
      "{% endfor %}";
  /// Knows no system, and forgets all messages but the last.
  static constexpr const char *forgetful =
      "{% for message in messages if message.role == 'system' %}{{ raise_exception('System role not supported') }}"
      "{% endfor %}{{ 'Q' ~ messages | length ~ ': ' ~ messages[-1].content | trim ~ '\\nA:' }}";

  ChatModelTest();

  /// Makes `text` the model's template, in tokenizer_config.json.
  void setTemplate(const std::string &text) const;
  /// A file with messages: role, content, role, content, ...
  std::string messages(const std::vector<std::string> &rolesAndContents) const;
  /// chimera-run with `input` as its standard input; `before` stands before the command (variables).
  ProcessResult chat(const std::string &input, std::vector<std::string> arguments = {},
                     const std::string &before = "") const;

  /// The tokens of a text with the special tokens in it.
  static std::vector<int32_t> tokensOf(const std::string &text);
  /// What is printed of tokens: nothing of special ones and of those that the tokenizer does not have.
  static std::string printed(const std::vector<int32_t> &tokens);
  /// What is printed of the `count` tokens after such a text.
  static std::string answerTo(const std::string &text, size_t count) {
    return printed(chosen(tokensOf(text), count, {}));
  }
  /// What the ChatML template makes of messages.
  static std::string chatMlOf(const std::vector<std::string> &rolesAndContents);
};

} // namespace chimera::test

#endif // CHIMERA_TEST_CHIMERARUN_CHATMODEL_H
