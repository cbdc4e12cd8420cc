// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where chat templates come from, and what templates and the program that renders them may do.
#include "test/chimera-run/ChatModel.h"

#include <filesystem>

using namespace chimera;
using namespace chimera::test;
using io::quote;
using nlohmann::json;

namespace {
class ChatTemplateTest : public ChatModelTest {
protected:
  /// What is printed when the one message x is answered by `text`, rendered.
  void expectRendered(const std::string &text, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--messages", messages({"user", "x"}), "--max-new-tokens", "6"});
    ProcessResult result = run(more);
    expectSuccess(result);
    EXPECT_EQ(result.out, answerTo(text, 6) + "\n") << text;
  }
  void expectFails(const std::string &message, const std::string &before = "") const {
    messages({"user", "x"});
    expectError(shell(before + " \"$@\"", {"--messages", "messages.json"}), 1, message);
  }
  void writeConfig(const json &chatTemplate) const {
    writeFile(file("tokenizer_config.json"), json{{"chat_template", chatTemplate}}.dump());
  }
  /// A folder with a program python3 that is this script.
  std::string python(const std::string &script) const {
    std::filesystem::create_directory(file("bin"));
    writeFile(file("bin/python3"), "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(file("bin/python3"), std::filesystem::perms::owner_all);
    return "PATH='" + file("bin") + "':$PATH";
  }
};
} // namespace

TEST_F(ChatTemplateTest, TheFilesThatHaveOne) {
  writeFile(file("chat_template.json"), json{{"chat_template", "json {{ messages[0].content }}"}}.dump());
  writeConfig(nullptr);
  expectRendered("json x");
  writeConfig("config {{ messages[0].content }}");
  expectRendered("config x");
  writeConfig(
      json::array({{{"name", "tool_use"}, {"template", "tools"}}, {{"name", "default"}, {"template", "list"}}}));
  expectRendered("list");
  writeFile(file("chat_template.jinja"), "jinja {{ messages[0].content }}");
  expectRendered("jinja x");
  writeFile(file("mine"), "mine {{ messages[0].content }}");
  expectRendered("mine x", {"--chat-template", file("mine")});
}

TEST_F(ChatTemplateTest, WithoutOneThatIsSaid) {
  writeConfig(nullptr);
  expectFails("no chat template is there: neither chat_template.jinja nor chat_template in tokenizer_config.json or "
              "chat_template.json; --chat-template FILE takes one\n");
  const std::string config = quote(file("tokenizer_config.json")) + ": chat_template ";
  writeConfig(json::array({{{"name", "rag"}, {"template", "x"}}}));
  expectFails(config + "has no template with the name 'default', only 'rag'; --chat-template FILE takes one\n");
  for (const json &wrong : {json(1), json::array({"x"}), json::array({{{"name", "default"}}})}) {
    writeConfig(wrong);
    expectFails(config + "must be a string, or an array of objects with name and template\n");
  }
  expectError(run({"--chat", "--chat-template", file("none")}), 1, quote(file("none")) + ": cannot open");
  writeFile(file("t"), "\xFF");
  expectError(run({"--chat", "--chat-template", file("t")}), 1, quote(file("t")) + ": is not UTF-8 at byte 0\n");
}

TEST_F(ChatTemplateTest, WhatTemplatesUse) {
  std::string year = shell("date +%Y #", {}).out.substr(0, 4);
  for (auto [text, rendered] : std::vector<std::pair<std::string, std::string>>{
           {"  {% if true %}\n  a\n  {% endif %}\nb", "  a\nb"}, // trim_blocks and lstrip_blocks
           {"{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"},
           {"{{ messages | tojson }}", "[{\"content\": \"x\", \"role\": \"user\"}]"},
           {"{{ {'a': '<b>&\u00e9'} | tojson(indent=1) }}", "{\n \"a\": \"<b>&\u00e9\"\n}"},
           {"{{ strftime_now('%Y') }}", year},
           {"{% if tools is none and documents is none %}no tools{% endif %}", "no tools"},
           {"{% generation %}{{ messages[0].role }}{% endgeneration %}", "user"},
           {"{{ bos_token }}{{ unk_token }}{{ eos_token }}{{ add_generation_prompt }}", "<s></s>True"},
           {"{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "1"},
       }) {
    setTemplate(text);
    expectRendered(rendered);
  }
}

/// Without files that name them, the tokens are the model's.
TEST_F(ChatTemplateTest, TheModelsOwnStartAndEndTokens) {
  writeConfig("{{ bos_token }}a{{ eos_token }}");
  writeModel(257, json{260});
  expectRendered("<s>a<|im_end|>");
}

TEST_F(ChatTemplateTest, HostileTemplatesEndWithOneLine) {
  const std::string place = quote(file("tokenizer_config.json")) + ": chat_template: ";
  for (auto [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}"
            "{% endfor %}",
            "rendering it takes too long\n"},
           {"{{ 'x' * 10000000000 }}", "it takes more memory than a template may have\n"},
           {"{% set ns = namespace(x='a') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "it takes more memory than a template may have\n"},
           {"{{ 'x' * 20000000 }}", "its text is longer than 16777216 characters\n"},
           {"{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe.\n"},
           {"{{ messages.append(1) }}", "access to attribute 'append' of 'list' object is unsafe.\n"},
           {"{% include '/etc/passwd' %}", "no loader for this environment specified\n"},
           {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "it is nested too deep\n"},
           {"{{ raise_exception('two\nlines\x1b') }}", "two\\x0alines\\x1b\n"},
           {"a\n{% for", "line 2: "},
           {"{{ nothing.at_all }}", "'nothing' is undefined\n"},
       }) {
    setTemplate(text);
    expectFails(place + message);
  }
}

TEST_F(ChatTemplateTest, WhatIsMissingIsSaid) {
  std::filesystem::create_directory(file("fake"));
  writeFile(file("fake/jinja2.py"), "raise ImportError(\"No module named 'jinja2'\")\n");
  expectFails(
      "chat templates are rendered by python3 with jinja2: No module named 'jinja2'; apt install python3-jinja2\n",
      "PYTHONPATH='" + file("fake") + "'");
  std::filesystem::create_directory(file("empty"));
  expectFails("chat templates are rendered by python3, which cannot be started: No such file or directory; "
              "apt install python3-jinja2\n",
              "PATH='" + file("empty") + "'");
}

TEST_F(ChatTemplateTest, AProgramThatFailsIsSaid) {
  const std::string who = "the python3 that renders the chat template ";
  expectFails(who + "does not answer: it ended with status 3\n", python("exit 3"));
  expectFails(who + "does not answer: it was ended by signal 9 (Killed)\n", python("kill -9 $$"));
  expectFails(who + "answers with something else than JSON\n", python("echo hello"));
}
