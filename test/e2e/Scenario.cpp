// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/e2e/Scenario.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace chimera::test {
namespace {

//===-- Prompts -------------------------------------------------------------------------------------------------===//

std::vector<int8_t> randomForcing(const Engine &engine, size_t count, Random &random) {
  std::vector<int8_t> forced;
  for (size_t t = 0; t < count; ++t)
    for (int64_t layer = 0; layer < engine.info().layers; ++layer) {
      std::vector<int8_t> choices = {-1};
      for (int8_t mode = 0; mode < CHIMERA_MODE_COUNT; ++mode)
        if (engine.forceable(layer) >> mode & 1)
          choices.push_back(mode);
      forced.push_back(random.pick(choices));
    }
  return forced;
}

/// Ordinary tokens, and, if `poisoned`, one harmful token in eight and a NaN in the middle.
std::vector<int32_t> drawTokens(const Config &config, size_t count, bool poisoned, Random &random) {
  std::vector<int> poisons = poisonTokens(config);
  std::vector<int32_t> tokens;
  for (size_t t = 0; t < count; ++t)
    tokens.push_back(poisoned && random.chance(0.125) ? random.pick(poisons)
                                                      : static_cast<int32_t>(random.below(config.vocabSize - 3)));
  if (poisoned)
    tokens[count / 2] = poisons.front();
  return tokens;
}

} // namespace

std::vector<Prompt> makePrompts(const Engine &engine, const ModelCase &modelCase, const Config &config, Random random) {
  constexpr int count = 8;
  std::vector<Prompt> prompts;
  for (int i = 0; i < count; ++i) {
    bool poisoned = i % 3 == 2, forced = i % 4 == 3;
    // One prompt of each model goes as far as the model's case asks; the others stay short.
    // Poisoned ones are not so short that none of their harmful rows is asked for.
    auto length = static_cast<size_t>(i == 0 ? modelCase.length : random.between(poisoned ? 12 : 1, 40));
    Prompt prompt;
    if (i > 0 && random.chance(0.6)) { // branches off an earlier prompt
      const Prompt &trunk = prompts[static_cast<size_t>(random.below(i))];
      auto shared = static_cast<size_t>(random.between(1, std::min<int64_t>(40, trunk.tokens.size())));
      prompt.tokens.assign(trunk.tokens.begin(), trunk.tokens.begin() + static_cast<std::ptrdiff_t>(shared));
      if (!trunk.forced.empty())
        prompt.forced.assign(trunk.forced.begin(),
                             trunk.forced.begin() + static_cast<std::ptrdiff_t>(shared * engine.info().layers));
    }
    std::vector<int32_t> rest = drawTokens(config, length, poisoned, random);
    if (forced || !prompt.forced.empty()) {
      prompt.forced.resize(prompt.tokens.size() * engine.info().layers, -1);
      std::vector<int8_t> more = randomForcing(engine, length, random);
      prompt.forced.insert(prompt.forced.end(), more.begin(), more.end());
    }
    prompt.tokens.insert(prompt.tokens.end(), rest.begin(), rest.end());

    Session alone(engine, 1, 1, false);
    prompt.reference = alone.step({{alone.add(), prompt.tokens, prompt.forced, CHIMERA_LOGITS_ALL}}).front();
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

namespace {

//===-- Comparison ----------------------------------------------------------------------------------------------===//

/// Equal bits; any NaN equals any other.
bool sameBits(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0;
}

/// The first difference between the rows of a step and the reference from position `first` on, or "".
std::string firstDifference(const StepResult &actual, const Prompt &prompt, int64_t first, chimera_logits wanted) {
  std::ostringstream text;
  text.precision(17);
  for (size_t row = 0; row < actual.routing.size(); ++row)
    if (actual.routing[row] != prompt.reference.routing[static_cast<size_t>(first) + row]) {
      text << "routing differs at position " << first + static_cast<int64_t>(row);
      return text.str();
    }
  size_t skipped = wanted == CHIMERA_LOGITS_LAST ? actual.routing.size() - 1 : 0;
  for (size_t row = 0; row < actual.logits.size(); ++row) {
    size_t position = static_cast<size_t>(first) + skipped + row;
    const std::vector<double> &expected = prompt.reference.logits[position];
    for (size_t v = 0; v < expected.size(); ++v)
      if (!sameBits(actual.logits[row][v], expected[v])) {
        text << "logit " << v << " differs at position " << position << ": " << actual.logits[row][v] << ", but "
             << expected[v] << " in one prefill alone";
        return text.str();
      }
  }
  return "";
}

//===-- Scenarios -----------------------------------------------------------------------------------------------===//

struct Live {
  chimera_sequence id;
  size_t prompt;
  int64_t position;
};

/// How a scenario cuts sequences into steps.
enum class Cut { Whole, Tokens, Small, Any };

class Scenario {
public:
  Scenario(const Engine &engine, const std::vector<Prompt> &prompts, std::vector<Snapshot> &snapshots, Random random,
           ScenarioCounts &counts)
      : engine(engine), prompts(prompts), snapshots(snapshots), random(random), counts(counts) {}

  std::string run();

private:
  bool hasRoom() const { return static_cast<int>(live.size()) < capacity; }
  int64_t length(size_t prompt) const { return static_cast<int64_t>(prompts[prompt].tokens.size()); }
  std::string event(Session &session);
  std::string addSequence(Session &session);
  std::string forkSequence(Session &session);
  void dropSequence(Session &session, size_t index);
  std::string saveAndRestore(Session &session);
  size_t drawPrompt();
  int64_t drawChunk(int64_t remaining);
  StepItem takeItem(Live &sequence);
  std::string step(Session &session);

  const Engine &engine;
  const std::vector<Prompt> &prompts;
  std::vector<Snapshot> &snapshots;
  Random random;
  ScenarioCounts &counts;
  std::vector<Live> live;
  int capacity = 0;
  int64_t budget = 0;
  bool longPrompt = false;
  Cut cut = Cut::Any;
  std::ostringstream log;
};

/// The long first prompt is drawn in one scenario out of eight, or none of the scenarios would be short.
size_t Scenario::drawPrompt() {
  if (longPrompt && random.chance(0.5))
    return 0;
  return static_cast<size_t>(random.between(1, static_cast<int64_t>(prompts.size()) - 1));
}

int64_t Scenario::drawChunk(int64_t remaining) {
  switch (cut) {
  case Cut::Whole:
    return remaining;
  case Cut::Tokens:
    return std::min<int64_t>(1, remaining);
  case Cut::Small:
    return std::min(random.between(1, 4), remaining);
  case Cut::Any:
    return std::min(random.chance(0.3) ? 1 : random.between(0, 70), remaining);
  }
  return remaining;
}

StepItem Scenario::takeItem(Live &sequence) {
  const Prompt &prompt = prompts[sequence.prompt];
  int64_t count = drawChunk(length(sequence.prompt) - sequence.position);
  auto begin = static_cast<std::ptrdiff_t>(sequence.position), end = static_cast<std::ptrdiff_t>(begin + count);
  auto layers = static_cast<std::ptrdiff_t>(engine.info().layers);
  StepItem item{sequence.id, {prompt.tokens.begin() + begin, prompt.tokens.begin() + end}, {}, CHIMERA_LOGITS_ALL};
  if (!prompt.forced.empty())
    item.forced.assign(prompt.forced.begin() + begin * layers, prompt.forced.begin() + end * layers);
  if (random.chance(0.25))
    item.logits = random.chance(0.5) ? CHIMERA_LOGITS_LAST : CHIMERA_LOGITS_NONE;
  return item;
}

/// One step over a random subset of the live sequences, in random order.
std::string Scenario::step(Session &session) {
  for (size_t i = live.size(); i > 1; --i)
    std::swap(live[i - 1], live[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  size_t taking = random.chance(0.5) ? live.size() : static_cast<size_t>(random.between(1, live.size()));
  std::vector<StepItem> items;
  log << "; step";
  for (size_t i = 0; i < taking; ++i) {
    items.push_back(takeItem(live[i]));
    log << " " << live[i].id << ":" << live[i].position << "+" << items.back().tokens.size();
  }
  std::vector<StepResult> results = session.step(items);
  ++counts.steps;
  for (size_t i = 0; i < taking; ++i) {
    std::string difference = firstDifference(results[i], prompts[live[i].prompt], live[i].position, items[i].logits);
    if (!difference.empty())
      return "sequence " + std::to_string(live[i].id) + ": " + difference;
    live[i].position += static_cast<int64_t>(items[i].tokens.size());
    if (session.position(live[i].id) != live[i].position)
      return "sequence " + std::to_string(live[i].id) + ": its position is wrong";
    budget -= static_cast<int64_t>(items[i].tokens.size());
    counts.rows += static_cast<int64_t>(items[i].tokens.size());
    for (const std::vector<double> &row : results[i].logits)
      counts.poisonedRows += std::isnan(row.front());
  }
  return "";
}

std::string Scenario::addSequence(Session &session) {
  live.push_back({session.add(), drawPrompt(), 0});
  log << "; add " << live.back().id << " of prompt " << live.back().prompt;
  return "";
}

/// A copy that goes on as any prompt with the same beginning.
std::string Scenario::forkSequence(Session &session) {
  const Live source = live[static_cast<size_t>(random.below(static_cast<int64_t>(live.size())))];
  const Prompt &prompt = prompts[source.prompt];
  auto forcedPrefix = [&](const Prompt &p) {
    std::vector<int8_t> forced = p.forced;
    forced.resize(static_cast<size_t>(source.position * engine.info().layers), -1);
    return forced;
  };
  std::vector<size_t> continuations;
  for (size_t i = 0; i < prompts.size(); ++i)
    if (length(i) > source.position &&
        std::equal(prompt.tokens.begin(), prompt.tokens.begin() + static_cast<std::ptrdiff_t>(source.position),
                   prompts[i].tokens.begin()) &&
        forcedPrefix(prompt) == forcedPrefix(prompts[i]))
      continuations.push_back(i);
  if (continuations.empty())
    return "";
  live.push_back({session.fork(source.id), random.pick(continuations), source.position});
  ++counts.forks;
  log << "; fork " << source.id << " to " << live.back().id << " as prompt " << live.back().prompt;
  return "";
}

void Scenario::dropSequence(Session &session, size_t index) {
  log << "; drop " << live[index].id;
  session.drop(live[index].id);
  live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
  ++counts.drops;
}

/// Takes a snapshot, then restores it or one of an earlier scenario.
std::string Scenario::saveAndRestore(Session &session) {
  auto index = static_cast<size_t>(random.below(static_cast<int64_t>(live.size())));
  Snapshot snapshot{session.snapshot(live[index].id), live[index].prompt, live[index].position};
  if (random.chance(0.5))
    dropSequence(session, index);
  if (snapshots.size() < 8)
    snapshots.push_back(snapshot);
  else if (random.chance(0.3))
    snapshots[static_cast<size_t>(random.below(8))] = snapshot;
  const Snapshot &chosen = random.chance(0.5) ? snapshot : random.pick(snapshots);
  if (!hasRoom())
    return "";
  live.push_back({session.restore(chosen.bytes), chosen.prompt, chosen.position});
  ++counts.restores;
  log << "; restore " << live.back().id << " of prompt " << chosen.prompt << " at " << chosen.position;
  return session.position(live.back().id) == chosen.position ? "" : "a restored sequence has another position";
}

/// Something other than a step, or nothing.
std::string Scenario::event(Session &session) {
  for (size_t i = live.size(); i-- > 0;)
    if (live[i].position == length(live[i].prompt))
      dropSequence(session, i);
  if (live.empty())
    return addSequence(session);
  double which = random.uniform();
  if (which < 0.45 && hasRoom())
    return addSequence(session);
  if (which < 0.6 && hasRoom())
    return forkSequence(session);
  if (which < 0.65 && live.size() > 1)
    dropSequence(session, static_cast<size_t>(random.below(static_cast<int64_t>(live.size()))));
  else if (which < 0.75)
    return saveAndRestore(session);
  return "";
}

std::string Scenario::run() {
  auto threads = static_cast<int>(random.between(1, 3));
  capacity = static_cast<int>(random.between(1, 6));
  longPrompt = random.chance(0.125);
  budget = longPrompt ? length(0) + 60 : random.between(10, 90);
  cut = static_cast<Cut>(random.below(4));
  log << threads << " threads, at most " << capacity << " sequences";
  Session session(engine, threads, capacity, random.chance(0.5));
  while (budget > 0) {
    std::string difference = event(session);
    if (difference.empty() && !live.empty())
      difference = step(session);
    if (!difference.empty())
      return difference + "\nwhat was done: " + log.str();
  }
  return "";
}

} // namespace

std::string runScenario(const Engine &engine, const std::vector<Prompt> &prompts, std::vector<Snapshot> &snapshots,
                        Random random, ScenarioCounts &counts) {
  return Scenario(engine, prompts, snapshots, random, counts).run();
}

} // namespace chimera::test
