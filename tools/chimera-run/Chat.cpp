// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Chat.h"

#include "runtime/io/File.h"
#include "runtime/io/Json.h"
#include "runtime/text/Utf8.h"
#include "tools/chimera-run/Conversation.h"
#include "tools/generation/ChatPrompt.h"
#include "tools/support/Streams.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;
using nlohmann::json;

/// The messages in a file. They may have other fields too, which the template may know.
static Result<json> readMessages(const std::string &path) {
  Result<std::string> bytes = tools::readAll(path);
  if (!bytes)
    return bytes.error();
  const std::string name = tools::nameOfInput(path);
  Result<json> messages = io::parseJson(bytes->data(), bytes->size());
  if (!messages)
    return Error{name + ": " + messages.error().message};
  if (!messages->is_array() || messages->empty())
    return Error{name + ": must be an array of messages, [{\"role\": \"user\", \"content\": \"Hello\"}]"};
  for (size_t i = 0; i < messages->size(); ++i)
    for (const char *field : {"role", "content"})
      if (const json &message = (*messages)[i];
          !message.is_object() || !message.contains(field) || !message[field].is_string())
        return Error{name + ": [" + std::to_string(i) + "]: must be an object with role and content, both strings"};
  return messages;
}

Result<Chat> Chat::prepare(const Options &options) {
  json messages = json::array();
  if (options.messages) {
    Result<json> read = readMessages(*options.messages);
    if (!read)
      return read.error();
    messages = std::move(*read);
  }
  if (options.system) {
    if (std::optional<size_t> at = text::findIllFormed(*options.system))
      return Error{"--system: the text is not UTF-8 at byte " + std::to_string(*at)};
    messages.push_back({{"role", "system"}, {"content", *options.system}});
  }
  Result<ChatTemplate> chatTemplate = ChatTemplate::open(options);
  if (!chatTemplate)
    return chatTemplate.error();
  return Chat(std::move(*chatTemplate), std::move(messages));
}

namespace {
/// The messages that somebody writes.
class MessageReader {
public:
  explicit MessageReader(bool terminal) : terminal(terminal) {}
  ~MessageReader() { std::free(line); }
  MessageReader(const MessageReader &) = delete;
  MessageReader &operator=(const MessageReader &) = delete;

  /// The next message: a line, with those after it while a line ends in a backslash. Nothing at the end of the input.
  Result<std::optional<std::string>> next() {
    std::string message;
    for (bool continues = false;; continues = true) {
      // Questions go where no reader of the answers sees them.
      if (terminal)
        std::fputs(continues ? "  " : "> ", stderr);
      errno = 0;
      ssize_t length = ::getline(&line, &capacity, stdin);
      if (length < 0 && std::ferror(stdin))
        return Error{std::string(io::standardInputName) + ": cannot read: " + std::strerror(errno)};
      if (length < 0)
        return continues ? std::optional(message) : std::nullopt;
      ++lines;
      std::string_view read(line, size_t(length));
      if (read.back() == '\n')
        read.remove_suffix(1);
      bool goesOn = !read.empty() && read.back() == '\\';
      if (goesOn)
        read.remove_suffix(1);
      message += read;
      if (!goesOn)
        return std::optional(message);
      message += '\n';
    }
  }

  /// Where the last message is.
  std::string place() const { return std::string(io::standardInputName) + ": line " + std::to_string(lines) + ": "; }

private:
  bool terminal;
  char *line = nullptr;
  size_t capacity = 0;
  int64_t lines = 0;
};
} // namespace

static Status answerMessage(Conversation &conversation, const std::string &message, bool terminal) {
  if (std::optional<size_t> at = text::findIllFormed(message))
    return Error{"the message is not UTF-8 at byte " + std::to_string(*at)};
  if (!terminal)
    return conversation.answer(message, nullptr);
  InterruptWatch watch;
  return conversation.answer(message, &watch);
}

static Status converse(Conversation &conversation, const json &beginning) {
  bool terminal = ::isatty(STDIN_FILENO) != 0;
  if (terminal)
    std::fprintf(stderr,
                 "chimera-run: a line that ends in \\ goes on in the next; Ctrl-C ends an answer, /reset begins "
                 "anew, Ctrl-D or /exit ends\n");
  MessageReader reader(terminal);
  while (true) {
    Result<std::optional<std::string>> message = reader.next();
    if (!message)
      return message.error();
    if (!*message && terminal)
      std::fputs("\n", stderr);
    if (!*message || **message == "/exit")
      return {};
    if (**message == "/reset")
      conversation.setMessages(beginning);
    else if (!(*message)->empty())
      if (Status status = answerMessage(conversation, **message, terminal); !status) {
        if (!terminal)
          return Error{reader.place() + status.error().message};
        std::fprintf(stderr, "chimera-run: %s\n", status.error().message.c_str());
      }
  }
}

Status Chat::run(const Options &options, Engine &engine) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::open(options, engine.info(), options.textSource());
  if (!tokenizer)
    return tokenizer.error();
  nameTokens(engine.handle(), engine.info(), **tokenizer, chatTemplate);
  if (Status status = engine.start(options, 1); !status)
    return status;
  TextOutput out(stdout, Color::Never);
  Conversation conversation(options, engine, **tokenizer, chatTemplate, out);
  conversation.setMessages(messages);
  if (options.chat)
    return converse(conversation, messages);
  if (Status status = conversation.answer(nullptr); !status)
    return Error{tools::nameOfInput(*options.messages) + ": " + status.error().message};
  return {};
}

} // namespace chimera::run
