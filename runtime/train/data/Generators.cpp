// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Generators.h"

#include "runtime/train/data/Random.h"

#include <algorithm>

namespace chimera::train {

namespace {

constexpr int32_t fillerToken = 0, markerToken = 1, firstKey = 2;
constexpr int64_t largestVocabulary = int64_t(1) << 20;
/// Streams of random numbers: one for each split.
constexpr uint32_t purpose = 0x5EED0100;

/// What the tasks have in common: ids and fillers.
class Generator : public Dataset {
public:
  Generator(DataSpec &spec, const DataOptions &options) : length(options.length), seed(options.seed) {
    vocabulary = spec.integer("vocab", options.vocabulary, 1, std::min(options.vocabulary, largestVocabulary));
    randomFillers = spec.choice("fillers", 0, {"random", "zero"}) == 0;
  }

  uint64_t heldOutSequences() const override { return uint64_t(1) << 62; }
  uint64_t trainSequences() const override { return 0; }
  bool hasClasses() const override { return true; }
  io::Status sequence(Split split, uint64_t index, SequenceView out) const final {
    write(split, index, out);
    return {};
  }

protected:
  /// Writes a sequence; nothing can fail.
  virtual void write(Split split, uint64_t index, SequenceView out) const = 0;
  /// Checks that `used` ids and, if random, at least two fillers fit in the vocabulary.
  void checkVocabulary(DataSpec &spec, int64_t used) {
    firstFiller = int32_t(std::min<int64_t>(used, largestVocabulary));
    int64_t wanted = used + (randomFillers ? 2 : 0);
    if (vocabulary < wanted)
      spec.fail("needs a vocabulary of at least " + std::to_string(wanted) + " ids, has " + std::to_string(vocabulary));
  }
  void checkLength(DataSpec &spec, int64_t wanted) const {
    if (length < wanted)
      spec.fail("needs sequences of at least " + std::to_string(wanted) + " tokens, has " + std::to_string(length));
  }

  RandomStream stream(Split split, uint64_t index) const {
    return RandomStream(seed, purpose + uint32_t(split), index);
  }
  /// Makes the whole sequence filler without targets.
  void fill(RandomStream &random, SequenceView out) const {
    for (int64_t t = 0; t < length; ++t)
      put(out, t, randomFillers ? firstFiller + int32_t(random.below(uint32_t(vocabulary - firstFiller))) : fillerToken,
          PositionClass::Filler);
  }
  static void put(SequenceView out, int64_t at, int32_t token, PositionClass kind, int32_t target = ignoredTarget) {
    out.tokens[at] = token;
    out.targets[at] = target;
    if (out.classes)
      out.classes[at] = kind;
  }

  int64_t length, vocabulary;
  uint64_t seed;
  bool randomFillers;
  int32_t firstFiller = 0;
};

class Mqar : public Generator {
public:
  Mqar(DataSpec &spec, const DataOptions &options) : Generator(spec, options) {
    pairs = spec.integer("pairs", 8, 1, 4096);
    queries = spec.integer("queries", pairs, 1, pairs);
    keys = spec.integer("keys", std::max<int64_t>(40, pairs), pairs, largestVocabulary);
    checkVocabulary(spec, firstKey + 2 * keys);
    checkLength(spec, 2 * pairs + 2 * queries);
  }

  void write(Split split, uint64_t index, SequenceView out) const override {
    RandomStream random = stream(split, index);
    fill(random, out);
    std::vector<uint32_t> key = random.distinct(uint32_t(pairs), uint32_t(keys)), value(pairs);
    for (int64_t i = 0; i < pairs; ++i) {
      value[i] = random.below(uint32_t(keys));
      put(out, 2 * i, firstKey + int32_t(key[i]), PositionClass::Key);
      put(out, 2 * i + 1, firstKey + int32_t(keys + value[i]), PositionClass::Value);
    }
    std::vector<uint32_t> slot = random.distinct(uint32_t(queries), uint32_t((length - 2 * pairs) / 2));
    std::vector<uint32_t> asked = random.distinct(uint32_t(queries), uint32_t(pairs));
    for (int64_t i = 0; i < queries; ++i)
      put(out, 2 * pairs + 2 * int64_t(slot[i]), firstKey + int32_t(key[asked[i]]), PositionClass::Query,
          firstKey + int32_t(keys + value[asked[i]]));
  }

  std::string description() const override {
    return "mqar: " + std::to_string(pairs) + " pairs, " + std::to_string(queries) + " queries, " +
           std::to_string(keys) + " keys, vocabulary " + std::to_string(vocabulary);
  }

private:
  int64_t pairs, queries, keys;
};

class Copy : public Generator {
public:
  Copy(DataSpec &spec, const DataOptions &options) : Generator(spec, options) {
    data = spec.integer("data", 16, 1, 4096);
    symbols = spec.integer("symbols", 16, 1, largestVocabulary);
    checkVocabulary(spec, firstKey + symbols);
    checkLength(spec, 2 * data);
  }

  void write(Split split, uint64_t index, SequenceView out) const override {
    RandomStream random = stream(split, index);
    fill(random, out);
    std::vector<uint32_t> place = random.distinct(uint32_t(data), uint32_t(length - data));
    std::sort(place.begin(), place.end());
    for (int64_t i = 0; i < data; ++i) {
      int32_t token = firstKey + int32_t(random.below(uint32_t(symbols)));
      put(out, place[i], token, PositionClass::Value);
      put(out, length - data + i, markerToken, PositionClass::Query, token);
    }
  }

  std::string description() const override {
    return "copy: " + std::to_string(data) + " of " + std::to_string(symbols) + " symbols, vocabulary " +
           std::to_string(vocabulary);
  }

private:
  int64_t data, symbols;
};

class Needle : public Generator {
public:
  Needle(DataSpec &spec, const DataOptions &options) : Generator(spec, options) {
    facts = spec.integer("facts", 1, 1, 4096);
    answer = spec.integer("answer", 1, 1, 4096);
    keys = spec.integer("keys", std::max<int64_t>(40, facts), facts, largestVocabulary);
    checkVocabulary(spec, firstKey + 2 * keys);
    checkLength(spec, facts * (1 + answer) + 1 + answer);
  }

  void write(Split split, uint64_t index, SequenceView out) const override {
    RandomStream random = stream(split, index);
    fill(random, out);
    std::vector<uint32_t> key = random.distinct(uint32_t(facts), uint32_t(keys));
    // The question is the marker, the key and all value tokens but the last, which nothing follows.
    int64_t body = length - 1 - answer, loose = body - facts * (1 + answer);
    std::vector<uint32_t> slot = random.distinct(uint32_t(facts), uint32_t(loose + facts));
    std::sort(slot.begin(), slot.end());
    uint32_t asked = random.below(uint32_t(facts));
    for (int64_t i = 0; i < facts; ++i) {
      // Fact i is slot[i] - i fillers and i whole facts from the start.
      int64_t at = int64_t(slot[i]) + i * answer;
      put(out, at, firstKey + int32_t(key[i]), PositionClass::Key);
      for (int64_t j = 1; j <= answer; ++j)
        put(out, at + j, firstKey + int32_t(keys + random.below(uint32_t(keys))), PositionClass::Value);
      if (i == int64_t(asked))
        ask(at, body, out);
    }
  }

  std::string description() const override {
    return "needle: " + std::to_string(facts) + " facts of " + std::to_string(answer) + " tokens, " +
           std::to_string(keys) + " keys, vocabulary " + std::to_string(vocabulary);
  }

private:
  /// The question at `body` about the fact at `fact`.
  void ask(int64_t fact, int64_t body, SequenceView out) const {
    put(out, body, markerToken, PositionClass::Other);
    for (int64_t j = 0; j < answer; ++j)
      put(out, body + 1 + j, out.tokens[fact + j], PositionClass::Query, out.tokens[fact + j + 1]);
  }

  int64_t facts, answer, keys;
};

template <typename Task> io::Result<std::unique_ptr<Dataset>> make(DataSpec &spec, const DataOptions &options) {
  auto task = std::make_unique<Task>(spec, options);
  if (io::Status status = spec.finish(); !status)
    return status.error();
  return std::unique_ptr<Dataset>(std::move(task));
}

} // namespace

bool isGenerator(const std::string &name) {
  return name == "mqar" || name == "copy" || name == "needle";
}

io::Result<std::unique_ptr<Dataset>> makeGenerator(DataSpec spec, const DataOptions &options) {
  if (spec.name() == "mqar")
    return make<Mqar>(spec, options);
  if (spec.name() == "copy")
    return make<Copy>(spec, options);
  return make<Needle>(spec, options);
}

} // namespace chimera::train
