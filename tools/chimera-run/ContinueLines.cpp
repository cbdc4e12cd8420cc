// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/ContinueLines.h"

#include "runtime/text/Utf8.h"
#include "tools/chimera-run/Generate.h"
#include "tools/chimera-run/Interrupt.h"
#include "tools/chimera-run/JsonRequest.h"
#include "tools/chimera-run/LineWriter.h"
#include "tools/generation/StopStrings.h"
#include "tools/generation/Tokenizer.h"
#include "tools/support/Streams.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

namespace {
/// A line and what becomes of it.
struct Answer {
  explicit Answer(int64_t index) : index(index) {}

  int64_t index;
  JsonRequest request;
  std::unique_ptr<text::StreamDecoder> decoder; ///< Null: there is no tokenizer.
  StopStrings stop{{}};
  std::string text;
  std::vector<int32_t> tokens; ///< The new ones.
  std::string line;            ///< The answer, when there is one.
};

/// The lines as sequences, numbered without those that have errors.
class Lines : public Sequences {
public:
  Lines(const Options &options, const Engine &engine, const Result<std::unique_ptr<Tokenizer>> &tokenizer,
        LineReader &reader, LineWriter &writer)
      : options(options), engine(engine), tokenizer(tokenizer), reader(reader), writer(writer),
        mostHeld(size_t(std::max<int64_t>(256, 4 * options.residentSequences(INT64_MAX, engine.info().max_seqs)))) {}

  int64_t count() const override { return known; }
  Result<bool> ready(int64_t sequence, bool wait) override;
  Beginning begin(int64_t sequence) override;
  Continuation continuation(int64_t sequence, const Options &) const override {
    return active.at(sequence)->request.continuation;
  }
  Status fed(int64_t, int64_t, int64_t, const int8_t *) override { return {}; }
  Status made(int64_t sequence, int32_t token) override;
  bool stops(int64_t sequence) const override { return active.at(sequence)->stop.found(); }
  Status ended(int64_t sequence) override;
  Status failed(int64_t sequence, const Error &error) override;
  std::string nameOf(int64_t) const override { return {}; }

  /// Says that lines have errors, if some have.
  Status finish() const;

private:
  Status prepare(Answer &answer, const LineReader::Line &line) const;
  Status encode(JsonRequest &request, int64_t &unseen) const;
  void answerBy(Answer &answer, nlohmann::ordered_json content) const;
  void fail(Answer &answer, const Error &error);
  Status print();

  const Options &options;
  const Engine &engine;
  const Result<std::unique_ptr<Tokenizer>> &tokenizer;
  LineReader &reader;
  LineWriter &writer;
  /// Answers wait for those of earlier lines. When there are so many, no more lines are read until the first is there.
  const size_t mostHeld;
  std::deque<Answer> held;                      ///< What is not printed, in the order of the lines.
  std::unordered_map<int64_t, Answer *> active; ///< By sequence.
  int64_t known = INT64_MAX;                    ///< How many sequences there are, once that is known.
  int64_t index = 0, errors = 0;
  int64_t firstIndex = INT64_MAX; ///< Of those with errors.
  std::string firstError;
};
} // namespace

Result<bool> Lines::ready(int64_t sequence, bool wait) {
  while (held.size() < mostHeld) {
    LineReader::Line line;
    Result<LineReader::State> state = reader.next(line, wait);
    if (!state)
      return state.error();
    if (*state == LineReader::State::Later)
      return false;
    if (*state == LineReader::State::End) {
      known = sequence;
      return false;
    }
    int64_t number = index++;
    if (!line.tooLong && line.text.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    Answer &answer = held.emplace_back(number);
    Status status = prepare(answer, line);
    if (status) {
      active.emplace(sequence, &answer);
      return true;
    }
    fail(answer, status.error());
    if (Status printed = print(); !printed)
      return printed.error();
  }
  return false;
}

/// Takes what a line asks for, up to the tokens it begins with.
Status Lines::prepare(Answer &answer, const LineReader::Line &line) const {
  if (line.tooLong)
    return Error{"the line is longer than " + std::to_string(LineReader::mostBytes) + " bytes"};
  JsonRequest &request = answer.request;
  if (Status status = request.read(line.text, answer.index, options, engine.info().vocab_size); !status)
    return status;
  if (!tokenizer && request.prompt)
    return Error{"prompt: " + tokenizer.error().message};
  if (!tokenizer && !request.stop.empty())
    return Error{"stop: " + tokenizer.error().message};
  int64_t unseen = 0;
  if (Status status = encode(request, unseen); !status)
    return status;
  answer.stop = StopStrings(std::move(request.stop));
  if (!tokenizer)
    return {};
  // The new text is what comes after the text of the beginning, whose last bytes it may complete.
  answer.decoder = (*tokenizer)->stream();
  for (size_t i = size_t(unseen); i < request.tokens.size(); ++i)
    if (Result<std::string> part = answer.decoder->push(request.tokens[i]); !part)
      return part.error();
  return {};
}

/// The tokens of a prompt.
Status Lines::encode(JsonRequest &request, int64_t &unseen) const {
  if (!request.prompt)
    return {};
  Result<EncodedText> encoded = (*tokenizer)->encode(*request.prompt);
  if (!encoded)
    return Error{"prompt: " + encoded.error().message};
  request.prompt = std::string(); // It may be long.
  if (Status status = checkStart(*encoded, engine.info()); !status)
    return Error{"prompt: " + status.error().message};
  request.tokens = std::move(encoded->tokens);
  unseen = encoded->unseen;
  return {};
}

Beginning Lines::begin(int64_t sequence) {
  const std::vector<int32_t> &tokens = active.at(sequence)->request.tokens;
  return {tokens.data(), int64_t(tokens.size())};
}

Status Lines::made(int64_t sequence, int32_t token) {
  Answer &answer = *active.at(sequence);
  answer.tokens.push_back(token);
  if (!answer.decoder)
    return {};
  Result<std::string> part = answer.decoder->push(token);
  if (!part)
    return part.error();
  answer.text += answer.stop.push(*part);
  return {};
}

Status Lines::ended(int64_t sequence) {
  Answer &answer = *active.at(sequence);
  active.erase(sequence);
  auto made = int64_t(answer.tokens.size());
  nlohmann::ordered_json content;
  if (answer.decoder) {
    Result<std::string> part = answer.decoder->flush();
    if (!part)
      return part.error();
    answer.text += answer.stop.push(*part);
    answer.text += answer.stop.flush();
    content["text"] = text::wellFormed(answer.text);
  }
  content["tokens"] = std::move(answer.tokens);
  content["prompt_tokens"] = answer.request.tokens.size();
  content["new_tokens"] = made;
  content["finish_reason"] = answer.stop.found()                                ? "stop"
                             : made == answer.request.continuation.maxNewTokens ? "length"
                                                                                : "eos";
  answerBy(answer, std::move(content));
  return print();
}

Status Lines::failed(int64_t sequence, const Error &error) {
  Answer &answer = *active.at(sequence);
  active.erase(sequence);
  fail(answer, error);
  return print();
}

/// Makes the line of an answer, and gives back what is not needed any more.
void Lines::answerBy(Answer &answer, nlohmann::ordered_json content) const {
  nlohmann::ordered_json line;
  line["index"] = answer.index;
  if (answer.request.id)
    line["id"] = *answer.request.id;
  line.update(content);
  std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  answer = Answer(answer.index);
  answer.line = std::move(text);
}

void Lines::fail(Answer &answer, const Error &error) {
  ++errors;
  if (answer.index < firstIndex)
    firstError = error.message;
  firstIndex = std::min(firstIndex, answer.index);
  nlohmann::ordered_json content;
  content["error"] = error.message;
  answerBy(answer, std::move(content));
}

/// Prints the answers that no earlier one is missing before.
Status Lines::print() {
  for (; !held.empty() && !held.front().line.empty(); held.pop_front())
    if (Status status = writer.write(held.front().line); !status)
      return status;
  return {};
}

Status Lines::finish() const {
  if (!errors)
    return {};
  return Error{reader.name() + ": " + std::to_string(errors) + " of " + std::to_string(index) +
               " lines could not be continued; the first is line " + std::to_string(firstIndex + 1) + ": " +
               firstError};
}

Status continueLines(const Options &options, LineReader &reader, Engine &engine) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::open(options, engine.info(), options.textSource());
  // Lines of ids do not need one.
  if (!tokenizer && (!options.tokenizer.empty() || !options.stop.empty()))
    return tokenizer.error();
  bool printed = options.output.empty() || options.output == tools::standardInput;
  if (reader.reads(printed ? "/dev/stdout" : options.output))
    return Error{(printed ? "<stdout>" : io::quote(options.output)) + ": is the file that --jsonl reads"};
  Result<std::unique_ptr<LineWriter>> writer = LineWriter::open(options.output);
  if (!writer)
    return writer.error();
  letInterruptsWait();
  Lines lines(options, engine, tokenizer, reader, **writer);
  if (Status status = generate(options, engine, lines); !status)
    return status;
  return lines.finish();
}

} // namespace chimera::run
