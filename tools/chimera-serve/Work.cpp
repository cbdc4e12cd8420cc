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

/// The most bytes of the rows of one part that are all wanted.
static constexpr int64_t mostRowBytes = int64_t(64) << 20;

StepPart Worker::promptPart(Work &work, int64_t room) const {
  const Generation &generation = work.job->generation;
  StepPart part;
  part.work = &work;
  part.prompt = true;
  part.allLogits = generation.echo && generation.logprobs;
  if (part.allLogits)
    room = std::min(room, mostRowBytes / model.engine.logitsRowBytes());
  int64_t end = work.keepAt.empty() ? work.length() : work.keepAt.front();
  part.count = std::min(end - work.fed, std::max<int64_t>(room, 1));
  return part;
}

int64_t Worker::addChosen(StepPart &part, int64_t room) const {
  auto chosen = int64_t(part.work->choices[part.choice].next.size());
  int64_t more = std::clamp<int64_t>(room, 0, chosen - part.count);
  part.count += more;
  return more;
}

/// Seconds since `begin`.
static double since(Job::Clock::time_point begin) {
  return std::chrono::duration<double>(Job::Clock::now() - begin).count();
}

/// A step that takes guesses back is followed by one that feeds the right ones again. That one has none, so that the
/// tokens that are fed again do not grow in number.
int64_t Worker::addGuesses(StepPart &part, int64_t room) {
  const Generation &generation = part.work->job->generation;
  Choice &choice = part.work->choices[part.choice];
  if (!choice.speculation || choice.next.size() != 1)
    return 0;
  int64_t most = std::min({room, generation.guesses, generation.maxTokens - choice.made - 1,
                           mostRowBytes / model.engine.logitsRowBytes() - 1});
  if (most <= 0)
    return 0;
  choice.speculation->guess(most, guesses);
  if (guesses.empty())
    return 0;
  auto begin = Job::Clock::now();
  Result<chimera_sequence> copy = model.engine.forkSequence(choice.sequence);
  if (!copy)
    return 0; // It would have saved time; nothing depends on it.
  choice.before = *copy;
  choice.next.insert(choice.next.end(), guesses.begin(), guesses.end());
  choice.guessed = int64_t(guesses.size());
  part.work->job->countGuesses(choice.guessed, 0);
  metrics.addSpeculation({choice.guessed, 0, 0, since(begin), false});
  part.count += choice.guessed;
  part.allLogits = true;
  return choice.guessed;
}

void Worker::forgetGuesses(const StepPart &part) {
  Choice &choice = part.work->choices[part.choice];
  if (!choice.before)
    return;
  (void)model.engine.dropSequence(std::exchange(choice.before, 0));
  choice.next.resize(choice.next.size() - size_t(std::exchange(choice.guessed, 0)));
}

chimera_step_item Worker::item(const StepPart &part) const {
  const Choice &choice = part.work->choices[part.choice];
  const int32_t *tokens = part.prompt ? part.work->text().tokens.data() + part.work->fed : choice.next.data();
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
Status Worker::takePrompt(const StepPart &part, StepRows rows) {
  Work &work = *part.work;
  const Generation &generation = work.job->generation;
  const std::vector<int32_t> &tokens = work.text().tokens;
  if (part.allLogits) {
    std::vector<ScoredToken> scored;
    for (int64_t i = 0; i < part.count && work.fed + i + 1 < work.length(); ++i) {
      int32_t next = tokens[size_t(work.fed + i + 1)];
      scored.push_back({next, score(rows.logits + i * model.engine.logitsRowBytes(), next, *generation.logprobs)});
    }
    for (size_t c = 0; c < work.choices.size() && !scored.empty(); ++c)
      work.job->add({nameOf(work, c), "", scored, Finish::No});
  }
  for (size_t c = 0; c < work.choices.size() && rows.modes; ++c)
    if (Status status = tell(work, c, tokens.data() + work.fed, part.count, rows.modes); !status)
      return status;
  const uint8_t *last = rows.logits + (part.allLogits ? part.count - 1 : 0) * model.engine.logitsRowBytes();
  work.fed += part.count;
  metrics.countPromptTokens(part.count);
  if (!work.keepAt.empty() && work.fed == work.keepAt.front()) {
    prefixes.keep(tokens, work.fed, work.choices.front().sequence);
    work.keepAt.erase(work.keepAt.begin());
  }
  return work.begins() ? Status() : beginChoices(work, last);
}

/// After the prompt: gives each choice a sequence and its first token, from the row of the prompt's last token.
Status Worker::beginChoices(Work &work, const uint8_t *row) {
  const Generation &generation = work.job->generation;
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
    work.choices[c].fed = work.length();
    if (generation.guesses > 0)
      work.choices[c].speculation = std::make_unique<Speculation>(work.text().tokens);
    if (Status status = choose(work, c, row); !status)
      return status;
  }
  return {};
}

Status Worker::take(const StepPart &part, StepRows rows) {
  return part.prompt ? takePrompt(part, rows) : takeChoice(part, rows);
}

/// Takes the rows of a choice: of the last token that was chosen, and of guesses. Each says which token comes next; as
/// long as this is the guess, the row behind it is what it would be without guesses.
Status Worker::takeChoice(const StepPart &part, StepRows rows) {
  Work &work = *part.work;
  Choice &choice = work.choices[part.choice];
  const int64_t guessed = std::exchange(choice.guessed, 0), known = part.count - guessed;
  const std::vector<int32_t> fed(choice.next.begin(), choice.next.begin() + part.count);
  choice.next.erase(choice.next.begin(), choice.next.begin() + part.count);
  if (rows.modes)
    if (Status status = tell(work, part.choice, fed.data(), known, rows.modes); !status)
      return status;
  int64_t accepted = 0;
  const bool chooses = choice.next.empty(); // Otherwise tokens that were chosen are still to be fed.
  while (chooses) {
    if (Status status = choose(work, part.choice, rows.logits + accepted * model.engine.logitsRowBytes()); !status)
      return status;
    if (choice.ended || accepted == guessed || choice.next.back() != fed[size_t(known + accepted)])
      break;
    ++accepted;
    work.job->countGuesses(0, 1); // Before the next token, which may end the answer.
    metrics.addSpeculation({0, 1, 0, 0, false});
    if (rows.modes)
      if (Status status = tell(work, part.choice, fed.data(), known + accepted, rows.modes); !status)
        return status;
  }
  if (choice.before)
    settle(choice, fed, accepted);
  else
    choice.fed += part.count;
  return {};
}

/// Goes on behind the guesses that were right: with the sequence that was fed them, or, where it was fed wrong ones
/// too, with its copy, which gets the right ones again in the next step, before the token that was chosen.
void Worker::settle(Choice &choice, const std::vector<int32_t> &fed, int64_t accepted) {
  auto begin = Job::Clock::now();
  Speculated step;
  step.takenBack = accepted + 1 < int64_t(fed.size());
  choice.next = {choice.next.back()};
  if (step.takenBack) {
    std::swap(choice.sequence, choice.before);
    choice.next.insert(choice.next.begin(), fed.begin(), fed.begin() + 1 + accepted);
    step.repeated = choice.ended ? 0 : accepted + 1;
  } else {
    choice.fed += int64_t(fed.size());
  }
  (void)model.engine.dropSequence(std::exchange(choice.before, 0));
  choice.speculation->learn(accepted);
  step.seconds = since(begin);
  metrics.addSpeculation(step);
}

/// Tells the modes of the first `count` tokens of a step's part, but for those that were told, and what the caches
/// hold. With guesses that is what they held before them.
Status Worker::tell(Work &work, size_t c, const int32_t *tokens, int64_t count, const int8_t *modes) {
  Choice &choice = work.choices[c];
  const int64_t begin = work.begins() ? work.fed : choice.fed, layers = model.engine.info().layers;
  const int64_t first = std::max(choice.told, begin) - begin;
  if (first >= count)
    return {};
  Piece piece{nameOf(work, c), "", {}, Finish::No, RoutedTokens()};
  piece.routed->position = begin + first;
  piece.routed->tokens.assign(tokens + first, tokens + count);
  piece.routed->modes.assign(modes + first * layers, modes + count * layers);
  chimera_sequence sequence = work.begins() ? work.choices.front().sequence : choice.sequence;
  Result<chimera_memory> memory = model.engine.memoryOf(choice.before ? choice.before : sequence);
  if (!memory)
    return memory.error();
  piece.routed->memory = *memory;
  piece.routed->cachePosition = choice.before ? begin : begin + count;
  choice.told = begin + count;
  work.job->add(std::move(piece));
  return {};
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
  choice.next.push_back(*token);
  if (choice.speculation)
    choice.speculation->append(*token);
  if (choice.made++ == 0)
    metrics.addFirstToken(since(work.job->arrival));
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
    for (chimera_sequence *sequence : {&choice.sequence, &choice.before})
      if (*sequence)
        (void)model.engine.dropSequence(std::exchange(*sequence, 0));
}

} // namespace chimera::serve
