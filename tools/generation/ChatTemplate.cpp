// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/ChatTemplate.h"

#include "runtime/core/Executable.h"
#include "runtime/io/Affixes.h"
#include "runtime/io/File.h"
#include "runtime/io/Json.h"
#include "runtime/io/Vocabulary.h"
#include "runtime/text/ConfigFile.h"
#include "runtime/text/Utf8.h"
#include "tools/generation/Tokenizer.h"
#include "tools/support/Streams.h"

#include <csignal>
#include <filesystem>

namespace chimera::run {

namespace filesystem = std::filesystem;

using io::Error;
using io::Result;
using nlohmann::json;

static constexpr const char *templateField = "chat_template";

/// The template in a field of a configuration: a string, or an array of {name, template} in which one is the default.
static Result<std::optional<std::string>> templateIn(const json &object, const std::string &path) {
  auto field = object.find(templateField);
  if (field == object.end() || field->is_null())
    return std::optional<std::string>();
  if (field->is_string())
    return std::optional(field->get<std::string>());
  const Error form{io::quote(path) + ": chat_template must be a string, or an array of objects with name and template"};
  if (!field->is_array())
    return form;
  std::string names;
  for (const json &entry : *field) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string() || !entry.contains("template") ||
        !entry["template"].is_string())
      return form;
    if (entry["name"] == "default")
      return std::optional(entry["template"].get<std::string>());
    names += (names.empty() ? "" : ", ") + io::quote(entry["name"].get<std::string>());
  }
  return Error{io::quote(path) + ": chat_template has no template with the name 'default'" +
               (names.empty() ? "" : ", only " + names) + "; --chat-template FILE takes one"};
}

Result<std::optional<ChatTemplate::Source>> ChatTemplate::find(const std::string &folder) {
  std::error_code ignored;
  std::string jinja = folder + "/chat_template.jinja";
  if (filesystem::exists(jinja, ignored)) {
    Result<std::string> text = io::readWhole(jinja);
    if (!text)
      return text.error();
    return std::optional(Source{io::quote(jinja), std::move(*text)});
  }
  for (const char *file : {"/tokenizer_config.json", "/chat_template.json"}) {
    std::string path = folder + file;
    Result<std::optional<json>> object = text::readConfigFile(path);
    if (!object)
      return object.error();
    if (!*object)
      continue;
    Result<std::optional<std::string>> text = templateIn(**object, path);
    if (!text)
      return text.error();
    if (*text)
      return std::optional(Source{io::quote(path) + ": chat_template", std::move(**text)});
  }
  return std::optional<Source>();
}

/// The special tokens that the files of a folder name: bos_token and others.
static Result<json> tokensIn(const std::string &folder) {
  json tokens = json::object();
  for (const char *file : {"/tokenizer_config.json", "/special_tokens_map.json"}) {
    std::string path = folder + file;
    Result<std::optional<json>> object = text::readConfigFile(path);
    if (!object)
      return object.error();
    if (!*object)
      continue;
    for (const auto &[name, value] : (*object)->items()) {
      constexpr std::string_view ending = "_token";
      // add_bos_token is no token.
      bool named = name.size() > ending.size() && io::endsWith(name, ending);
      if (!named || !(value.is_string() || value.is_object()))
        continue;
      Result<std::optional<std::string>> token = text::tokenIn(**object, path, name);
      if (!token)
        return token.error();
      if (*token)
        tokens.emplace(name, **token);
    }
  }
  return tokens;
}

/// Starts the program that renders templates, which is the last word of `command`.
static Result<HelperProcess> startHelper(std::vector<std::string> command) {
  if (command.empty())
    command = {"python3", "-B",
               filesystem::path(runtime::executableFolder() + CHIMERA_RENDER_CHAT).lexically_normal().string()};
  std::error_code code;
  if (!filesystem::exists(command.back(), code))
    return Error{io::quote(command.back()) + ": is missing, and chat templates are rendered by it"};
  Result<HelperProcess> helper = HelperProcess::start(command);
  if (!helper)
    return Error{"chat templates are rendered by python3, which cannot be started: " + helper.error().message +
                 "; apt install python3-jinja2"};
  return helper;
}

Result<ChatTemplate> ChatTemplate::open(const ModelOptions &options) {
  std::vector<std::string> folders;
  if (std::optional<std::string> tokenizer = findTokenizer(options))
    folders = {io::folderOf(*tokenizer)};
  else
    folders = {io::folderOf(options.weights), io::folderOf(options.model)};
  std::optional<Source> source;
  if (!options.chatTemplate.empty()) {
    Result<std::string> text = tools::readAll(options.chatTemplate);
    if (!text)
      return text.error();
    source = Source{tools::nameOfInput(options.chatTemplate), std::move(*text)};
  }
  json variables = json::object();
  for (const std::string &folder : folders) {
    Result<json> tokens = tokensIn(folder);
    if (!tokens)
      return tokens.error();
    variables.insert(tokens->begin(), tokens->end());
    if (source)
      continue;
    Result<std::optional<Source>> found = find(folder);
    if (!found)
      return found.error();
    source = std::move(*found);
  }
  if (!source)
    return Error{io::quote(folders.front()) + ": no chat template is there: neither chat_template.jinja nor " +
                 "chat_template in tokenizer_config.json or chat_template.json; --chat-template FILE takes one"};
  if (std::optional<size_t> at = text::findIllFormed(source->text))
    return Error{source->name + ": is not UTF-8 at byte " + std::to_string(*at)};
  ChatTemplate made(std::move(*source), std::move(variables), options.renderChat);
  if (io::Status status = made.start(); !status)
    return status.error();
  return made;
}

/// Starts the process and gives it the template.
io::Status ChatTemplate::start() {
  Result<HelperProcess> started = startHelper(command);
  if (!started)
    return started.error();
  helper.emplace(std::move(*started));
  Result<json> answer = ask({{"template", text}});
  return answer ? io::Status() : answer.error();
}

std::optional<std::string> ChatTemplate::token(const std::string &name) const {
  auto found = variables.find(name);
  return found == variables.end() ? std::nullopt : std::optional(found->get<std::string>());
}

Result<json> ChatTemplate::ask(const json &request) {
  // The process limits itself; this is for one that does not work at all.
  constexpr double seconds = 300;
  constexpr size_t mostBytes = size_t(256) << 20;
  Result<std::string> line = helper->ask(request.dump(), seconds, mostBytes);
  if (!line) {
    bool late = helper->endedBy() == SIGPROF;
    helper.reset();
    return Error{late ? name + ": rendering it takes too long"
                      : "the python3 that renders the chat template does not answer: " + line.error().message};
  }
  Result<json> answer = io::parseJson(line->data(), line->size());
  if (!answer || !answer->is_object())
    return Error{"the python3 that renders the chat template answers with something else than JSON"};
  if (!answer->contains("error"))
    return answer;
  std::string message = io::escaped(answer->value("error", ""));
  if (answer->value("kind", "") == "setup")
    return Error{"chat templates are rendered by python3 with jinja2: " + message + "; apt install python3-jinja2"};
  return Error{name + ": " + message};
}

Result<std::string> ChatTemplate::render(const json &messages) {
  if (!helper)
    if (io::Status status = start(); !status)
      return status.error();
  Result<json> answer = ask({{"messages", messages}, {"variables", variables}});
  if (!answer)
    return answer.error();
  return answer->value("text", "");
}

} // namespace chimera::run
