// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-run/Generate.h"

#include <algorithm>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;

namespace {
/// A sequence on its way.
struct Active {
  int64_t number;
  chimera_sequence handle;
  Beginning beginning;
  Continuation continuation;
  int64_t saveAt = 0;    ///< Tokens after which the prompt cache is written; 0: it is not.
  int64_t fed = 0;       ///< Tokens fed, the position of the next.
  int64_t chunks = 0;    ///< Chunks of the beginning that have begun.
  int64_t chunkLeft = 0; ///< What is left of the last of them.
  int64_t made = 0;
  int32_t next = 0; ///< The token that was chosen last.
  bool ended = false, failed = false;

  bool begins() const { return fed < beginning.count; }
};

/// Runs the rounds. In each every active sequence gets its next chunk, or its next token, until a step is full.
class Generation {
public:
  Generation(const Options &options, Engine &engine, Sequences &sequences, PromptCache *cache)
      : options(options), engine(engine), sequences(sequences), cache(cache), sampler(options.sampler) {}

  Status run();

private:
  Status start();
  Status enter(Active &sequence);
  Status round();
  Status takeRows(Active &sequence, int64_t count, const int8_t *modes, const uint8_t *logits);
  Status choose(Active &sequence, const uint8_t *logits);
  Status endSequences();
  int64_t chunk(Active &sequence, int64_t room) const;

  const Options &options;
  Engine &engine;
  Sequences &sequences;
  PromptCache *cache; ///< Null: none.
  Sampler sampler;
  int64_t resident = 1;
  int64_t waiting = 0; ///< The first sequence that has not begun.
  std::vector<Active> active;
  std::vector<uint8_t> logits;
  std::vector<int8_t> routing;
};
} // namespace

/// Gives the sequence a place in the session, with what is there of its beginning: in the session, or in the prompt
/// cache.
Status Generation::enter(Active &sequence) {
  if (chimera_sequence resumed = sequences.resumed(sequence.number)) {
    Result<int64_t> fed = engine.position(resumed);
    if (!fed)
      return fed.error();
    sequence.handle = resumed;
    sequence.fed = *fed;
    return {};
  }
  const Beginning &beginning = sequence.beginning;
  if (cache && cache->restore(engine, beginning.tokens, beginning.count, sequence.handle, sequence.fed))
    return sequences.fed(sequence.number, 0, sequence.fed, nullptr);
  if (cache)
    sequence.saveAt = cache->wantedTokens(beginning.count);
  Result<chimera_sequence> handle = engine.addSequence();
  if (!handle)
    return handle.error();
  sequence.handle = *handle;
  return {};
}

/// Fills the session up with sequences that wait.
Status Generation::start() {
  while (int64_t(active.size()) < resident && waiting < sequences.count()) {
    Result<bool> ready = sequences.ready(waiting, active.empty());
    if (!ready)
      return ready.error();
    if (!*ready && !active.empty())
      return {};
    if (!*ready)
      continue;
    Active sequence{waiting, 0, sequences.begin(waiting), sequences.continuation(waiting, options)};
    if (Status status = enter(sequence); !status)
      return status;
    active.push_back(sequence);
    ++waiting;
  }
  return {};
}

/// How many tokens of its beginning a sequence gets now: of its chunk what there is room for. One token is not left for
/// a step of its own, unless the prompt cache wants those before it.
int64_t Generation::chunk(Active &sequence, int64_t room) const {
  if (!sequence.chunkLeft)
    sequence.chunkLeft = options.schedule.chunk(sequence.chunks++, sequence.beginning.count - sequence.fed);
  int64_t count = sequence.chunkLeft <= room + 1 ? sequence.chunkLeft : room;
  return sequence.fed < sequence.saveAt ? std::min(count, sequence.saveAt - sequence.fed) : count;
}

/// Chooses the next token from logits[vocab].
Status Generation::choose(Active &sequence, const uint8_t *row) {
  int64_t vocab = engine.info().vocab_size;
  uint64_t number = sequence.continuation.number, at = uint64_t(sequence.fed);
  sampler.setOptions(sequence.continuation.sampler);
  Result<int32_t> token = engine.logitsType() == io::DType::F64
                              ? sampler.sample(reinterpret_cast<const double *>(row), vocab, number, at)
                              : sampler.sample(reinterpret_cast<const float *>(row), vocab, number, at);
  if (!token) {
    sequence.ended = sequence.failed = true;
    return sequences.failed(sequence.number,
                            Error{"position " + std::to_string(sequence.fed) + ": " + token.error().message});
  }
  sequence.next = *token;
  if (engine.endsText(*token)) {
    sequence.ended = true;
    return {};
  }
  if (Status status = sequences.made(sequence.number, *token); !status)
    return status;
  sequence.ended = ++sequence.made == sequence.continuation.maxNewTokens || sequences.stops(sequence.number);
  return {};
}

/// Takes what a step made of the `count` tokens of a sequence. `row`: the logits after the last of them, if wanted.
Status Generation::takeRows(Active &sequence, int64_t count, const int8_t *modes, const uint8_t *row) {
  int64_t first = sequence.fed;
  bool began = sequence.begins();
  sequence.fed += count;
  if (began) {
    sequence.chunkLeft -= count;
    if (Status status = sequences.fed(sequence.number, first, count, modes); !status)
      return status;
    if (sequence.fed == sequence.saveAt)
      cache->save(engine, sequence.handle, sequence.beginning.tokens, sequence.fed);
  }
  if (began && sequences.stops(sequence.number)) {
    sequence.ended = true;
    return {};
  }
  if (row)
    return choose(sequence, row);
  sequence.ended = !sequence.begins();
  return {};
}

Status Generation::round() {
  // A step of the binary after the other, as full as they can be, and no more memory for results than this needs.
  constexpr int64_t mostRows = 65536;
  int64_t stepRows = std::max<int64_t>(engine.info().max_tokens, 1);
  int64_t room = std::max<int64_t>(mostRows / stepRows, 1) * stepRows;
  std::vector<chimera_step_item> items;
  std::vector<Active *> rows;
  for (Active &sequence : active) {
    const Beginning &beginning = sequence.beginning;
    int64_t count = sequence.begins() ? chunk(sequence, room) : 1;
    if (!count)
      continue;
    bool wanted = sequence.fed + count >= beginning.count && sequence.continuation.maxNewTokens > 0;
    int64_t layers = engine.info().layers;
    items.push_back({sequence.handle, sequence.begins() ? beginning.tokens + sequence.fed : &sequence.next, count,
                     sequence.begins() && beginning.forced ? beginning.forced + sequence.fed * layers : nullptr,
                     wanted ? CHIMERA_LOGITS_LAST : CHIMERA_LOGITS_NONE});
    rows.push_back(&sequence);
    room = std::max<int64_t>(room - count, 0);
  }
  bool wantsRouting = sequences.wantsRouting();
  if (Status status = engine.step(items, logits, wantsRouting ? &routing : nullptr); !status)
    return status;
  const int8_t *modes = wantsRouting ? routing.data() : nullptr;
  const uint8_t *row = logits.data();
  for (size_t i = 0; i < items.size(); ++i) {
    bool wanted = items[i].logits == CHIMERA_LOGITS_LAST;
    if (Status status = takeRows(*rows[i], items[i].count, modes, wanted ? row : nullptr); !status)
      return status;
    row += wanted ? engine.logitsRowBytes() : 0;
    modes += modes ? items[i].count * engine.info().layers : 0;
  }
  return endSequences();
}

/// Takes out what has ended. Caches go only if others wait for their place, so that --stats sees what was in use.
Status Generation::endSequences() {
  for (const Active &sequence : active) {
    if (!sequence.ended)
      continue;
    if (Status status = sequence.failed ? Status() : sequences.ended(sequence.number); !status)
      return status;
    if (waiting < sequences.count())
      if (Status status = engine.dropSequence(sequence.handle); !status)
        return status;
  }
  active.erase(std::remove_if(active.begin(), active.end(), [](const Active &s) { return s.ended; }), active.end());
  return {};
}

Status Generation::run() {
  resident = options.residentSequences(sequences.count(), engine.info().max_seqs);
  if (!engine.started())
    if (Status status = engine.start(options, resident); !status)
      return status;
  while (true) {
    if (Status status = start(); !status)
      return status;
    if (active.empty())
      return {};
    if (Status status = round(); !status)
      return status;
  }
}

Status generate(const Options &options, Engine &engine, Sequences &sequences, PromptCache *cache) {
  return Generation(options, engine, sequences, cache).run();
}

} // namespace chimera::run
