// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Conversation.h"

#include "runtime/text/Utf8.h"
#include "tools/generation/ChatPrompt.h"

#include <algorithm>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

/// Lets the sequence be one that was fed the first of `tokens`, or nothing.
Status Conversation::prepareSequence() {
  bool continues = consumed.size() < tokens.size() && std::equal(consumed.begin(), consumed.end(), tokens.begin());
  if (sequence && continues)
    return {};
  if (sequence)
    if (Status status = engine.dropSequence(std::exchange(sequence, 0)); !status)
      return status;
  consumed.clear();
  if (!engine.started())
    if (Status status = engine.start(options, 1); !status)
      return status;
  Result<chimera_sequence> added = engine.addSequence();
  if (!added)
    return added.error();
  sequence = *added;
  return {};
}

Status Conversation::print(const std::string &part) {
  text += part;
  out.write(part);
  return out.flushComplete();
}

Status Conversation::made(int64_t, int32_t token) {
  newTokens.push_back(token);
  if (token == endToken) {
    hasEnded = true;
    return {};
  }
  Result<std::string> part = decoder->push(token);
  return part ? print(stop.push(*part)) : part.error();
}

Status Conversation::ended(int64_t) {
  Result<std::string> part = decoder->flush();
  return part ? print(stop.push(*part) + stop.flush()) : part.error();
}

Status Conversation::answer(const InterruptWatch *watch) {
  Result<std::vector<int32_t>> ids = encodeMessages(messages, chatTemplate, tokenizer, options.parseSpecial);
  if (!ids)
    return ids.error();
  tokens = std::move(*ids);
  if (Status status = prepareSequence(); !status)
    return status;
  newTokens.clear();
  decoder = tokenizer.stream();
  stop = StopStrings(options.stop);
  text.clear();
  hasEnded = false;
  endToken = endOfAnswer(chatTemplate, tokenizer);
  interrupt = watch;
  Status status = generate(options, engine, *this);
  if (status || !text.empty())
    out.write("\n");
  Status closed = out.close();
  Result<int64_t> position = status ? engine.position(sequence) : status.error();
  if (!position) {
    // What the sequence holds is not known any more.
    (void)engine.dropSequence(std::exchange(sequence, 0));
    consumed.clear();
    return position.error();
  }
  consumed = tokens;
  consumed.insert(consumed.end(), newTokens.begin(), newTokens.end());
  consumed.resize(size_t(*position));
  // Where bytes are tokens, the model may make any.
  messages.push_back({{"role", "assistant"}, {"content", text::wellFormed(text)}});
  return closed;
}

Status Conversation::answer(const std::string &message, const InterruptWatch *watch) {
  messages.push_back({{"role", "user"}, {"content", message}});
  size_t count = messages.size();
  Status status = answer(watch);
  if (!status && messages.size() == count)
    messages.erase(count - 1);
  return status;
}

} // namespace chimera::run
