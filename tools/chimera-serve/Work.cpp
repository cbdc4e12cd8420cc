// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/Work.h"

#include <algorithm>
#include <utility>

namespace chimera::serve {

using io::Error;
using io::Result;
using io::Status;

bool Work::done() const {
  return std::all_of(choices.begin(), choices.end(), [](const Choice &choice) { return choice.ended; });
}

Status Worker::begin(Work &work) {
  const Generation &generation = work.job->generation;
  for (Choice &choice : work.choices)
    choice.text = std::make_unique<TextStream>(model.stream(), generation.stop);
  for (size_t c = 0; generation.echo && c < work.choices.size(); ++c) {
    Piece piece{nameOf(work, c), work.text().text, {}, Finish::No};
    if (generation.logprobs)
      piece.tokens.push_back({work.text().tokens.front(), {}});
    work.job->add(std::move(piece));
  }
  if (generation.maxTokens == 0 && !(generation.echo && generation.logprobs)) {
    for (size_t c = 0; c < work.choices.size(); ++c)
      if (Status status = endChoice(work, c, {nameOf(work, c), "", {}, Finish::Length}); !status)
        return status;
    return {};
  }
  return startSequence(work);
}

/// Goes on from what is kept of the prompt's beginning, unless logits of all its tokens are wanted.
Status Worker::startSequence(Work &work) {
  const Generation &generation = work.job->generation;
  chimera_sequence &sequence = work.choices.front().sequence;
  if (!generation.echo || !generation.logprobs) {
    Result<PrefixCache::Start> start = prefixes.begin(work.text().tokens);
    if (!start)
      return start.error();
    sequence = start->sequence;
    work.fed = start->tokens;
    work.keepAt = std::move(start->keepAt);
    work.job->countKept(start->tokens);
  }
  if (sequence)
    return {};
  Result<chimera_sequence> added = model.engine.addSequence();
  if (!added)
    return added.error();
  sequence = *added;
  return {};
}

StepPart Worker::promptPart(Work &work, int64_t room) const {
  const Generation &generation = work.job->generation;
  StepPart part;
  part.work = &work;
  part.prompt = true;
  part.allLogits = generation.echo && generation.logprobs;
  constexpr int64_t mostBytes = int64_t(64) << 20; // Of the rows of a prompt that are all wanted.
  if (part.allLogits)
    room = std::min(room, mostBytes / model.engine.logitsRowBytes());
  int64_t end = work.keepAt.empty() ? work.length() : work.keepAt.front();
  part.count = std::min(end - work.fed, std::max<int64_t>(room, 1));
  return part;
}

chimera_step_item Worker::item(const StepPart &part) const {
  const Choice &choice = part.work->choices[part.choice];
  const int32_t *tokens = part.prompt ? part.work->text().tokens.data() + part.work->fed : &choice.next;
  int32_t logits = part.allLogits ? CHIMERA_LOGITS_ALL : wantsLast(part) ? CHIMERA_LOGITS_LAST : CHIMERA_LOGITS_NONE;
  return {choice.sequence, tokens, part.count, nullptr, logits};
}

TokenLogprob Worker::score(const uint8_t *row, int32_t token, int64_t top) const {
  int64_t vocab = model.engine.info().vocab_size;
  return model.engine.logitsType() == io::DType::F64
             ? logprobOf(reinterpret_cast<const double *>(row), vocab, token, top)
             : logprobOf(reinterpret_cast<const float *>(row), vocab, token, top);
}

/// Takes rows of a prompt: the row of a token says how likely the next one was.
Status Worker::takePrompt(const StepPart &part, const uint8_t *logits) {
  Work &work = *part.work;
  const Generation &generation = work.job->generation;
  const std::vector<int32_t> &tokens = work.text().tokens;
  if (part.allLogits) {
    std::vector<ScoredToken> scored;
    for (int64_t i = 0; i < part.count && work.fed + i + 1 < work.length(); ++i) {
      int32_t next = tokens[size_t(work.fed + i + 1)];
      scored.push_back({next, score(logits + i * model.engine.logitsRowBytes(), next, *generation.logprobs)});
    }
    for (size_t c = 0; c < work.choices.size() && !scored.empty(); ++c)
      work.job->add({nameOf(work, c), "", scored, Finish::No});
  }
  const uint8_t *last = logits + (part.allLogits ? part.count - 1 : 0) * model.engine.logitsRowBytes();
  work.fed += part.count;
  metrics.countPromptTokens(part.count);
  if (!work.keepAt.empty() && work.fed == work.keepAt.front()) {
    prefixes.keep(tokens, work.fed, work.choices.front().sequence);
    work.keepAt.erase(work.keepAt.begin());
  }
  if (work.begins())
    return {};
  for (size_t c = 0; c < work.choices.size(); ++c) {
    if (generation.maxTokens == 0) {
      if (Status status = endChoice(work, c, {nameOf(work, c), "", {}, Finish::Length}); !status)
        return status;
      continue;
    }
    if (c > 0) {
      Result<chimera_sequence> copy = model.engine.forkSequence(work.choices.front().sequence);
      if (!copy)
        return copy.error();
      work.choices[c].sequence = *copy;
    }
    if (Status status = choose(work, c, last); !status)
      return status;
  }
  return {};
}

Status Worker::take(const StepPart &part, const uint8_t *logits) {
  return part.prompt ? takePrompt(part, logits) : choose(*part.work, part.choice, logits);
}

/// Chooses the next token of a choice from its row of logits.
Status Worker::choose(Work &work, size_t c, const uint8_t *row) {
  const Generation &generation = work.job->generation;
  Choice &choice = work.choices[c];
  int64_t vocab = model.engine.info().vocab_size;
  auto position = uint64_t(work.length() + choice.made);
  sampler.setOptions(generation.sampler);
  Result<int32_t> token = model.engine.logitsType() == io::DType::F64
                              ? sampler.sample(reinterpret_cast<const double *>(row), vocab, c, position)
                              : sampler.sample(reinterpret_cast<const float *>(row), vocab, c, position);
  if (!token)
    return Error{"position " + std::to_string(position) + ": " + token.error().message};
  choice.next = *token;
  if (choice.made++ == 0)
    metrics.addFirstToken(std::chrono::duration<double>(Job::Clock::now() - work.job->arrival).count());
  Piece piece{nameOf(work, c), "", {}, Finish::No};
  if (generation.logprobs)
    piece.tokens.push_back({*token, score(row, *token, *generation.logprobs)});
  if (model.engine.endsText(*token) || *token == generation.endToken) {
    piece.finish = Finish::Stop;
  } else {
    Result<std::string> text = choice.text->push(*token);
    if (!text)
      return text.error();
    piece.text = std::move(*text);
    piece.finish = choice.text->stopped()                ? Finish::Stop
                   : choice.made == generation.maxTokens ? Finish::Length
                                                         : Finish::No;
  }
  if (piece.finish != Finish::No)
    return endChoice(work, c, std::move(piece));
  if (!piece.text.empty() || !piece.tokens.empty())
    work.job->add(std::move(piece));
  return {};
}

/// Ends a choice with this piece, and the rest of its text.
Status Worker::endChoice(Work &work, size_t c, Piece piece) {
  Choice &choice = work.choices[c];
  Result<std::string> rest = choice.text->end();
  if (!rest)
    return rest.error();
  piece.text += *rest;
  if (piece.finish == Finish::Length && choice.text->stopped())
    piece.finish = Finish::Stop;
  choice.ended = true;
  metrics.countMadeTokens(choice.made);
  work.job->add(std::move(piece));
  work.job->choiceEnded(choice.made);
  return {};
}

void Worker::release(Work &work) {
  for (Choice &choice : work.choices)
    if (choice.sequence)
      (void)model.engine.dropSequence(std::exchange(choice.sequence, 0));
}

} // namespace chimera::serve
