// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/TokenizerTrainer.h"

#include "runtime/text/BpeTrainer.h"
#include "runtime/text/TokenizerJson.h"
#include "runtime/text/TokenizerWriter.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace chimera::text {

/// The longest special token, in bytes.
static constexpr size_t longestToken = 1000;
/// Where a text is long, about so many bytes are cut into words at once.
static constexpr size_t blockSize = 1 << 20;

namespace {
/// The 256 characters that stand for bytes, by code point, which is the order of their ids.
struct Alphabet {
  Alphabet() {
    std::vector<uint32_t> points;
    for (int byte = 0; byte < 256; ++byte)
      points.push_back(byteCharacter(uint8_t(byte)));
    std::sort(points.begin(), points.end());
    for (uint32_t i = 0; i < points.size(); ++i) {
      std::string token;
      append(token, points[i]);
      tokens.push_back(token);
      symbols[size_t(characterByte(points[i]))] = i;
    }
  }
  std::vector<std::string> tokens;
  std::array<uint32_t, 256> symbols{}; ///< Of bytes.
};
} // namespace

static const Alphabet &alphabet() {
  static const Alphabet made;
  return made;
}

static io::Status check(const TrainingPlan &plan) {
  std::unordered_set<std::string> seen;
  const std::vector<std::string> &bytes = alphabet().tokens;
  for (const std::string &token : plan.special) {
    auto fail = [&](const std::string &why) { return io::Error{"the special token " + io::quote(token) + " " + why}; };
    if (token.empty() || token.size() > longestToken)
      return fail("must have 1 to " + std::to_string(longestToken) + " bytes");
    if (findIllFormed(token))
      return fail("is not UTF-8");
    if (std::find(bytes.begin(), bytes.end(), token) != bytes.end())
      return fail("is a character that stands for a byte");
    if (!seen.insert(token).second)
      return fail("is there twice");
  }
  for (const auto *token : {&plan.begin, &plan.end})
    if (*token && !seen.count(**token))
      return io::Error{io::quote(**token) + " is not among the special tokens"};
  auto least = int64_t(plan.special.size() + bytes.size());
  if (plan.vocabSize < least || plan.vocabSize > Bpe::idLimit + 1)
    return io::Error{"a vocabulary has " + std::to_string(least) + " tokens at least, for bytes and special tokens, " +
                     "and " + std::to_string(Bpe::idLimit + 1) + " at most, not " + std::to_string(plan.vocabSize)};
  return {};
}

io::Result<TokenizerTrainer> TokenizerTrainer::make(TrainingPlan plan) {
  if (io::Status status = check(plan); !status)
    return status.error();
  auto words = PreTokenizer::read(nlohmann::json(preTokenizerOf(plan.words)), "pre_tokenizer");
  if (!words)
    return words.error();
  TokenizerTrainer trainer;
  trainer.words = std::move(*words);
  for (const std::string &token : plan.special)
    trainer.finder.add(token, 0);
  trainer.plan = std::move(plan);
  return trainer;
}

io::Status TokenizerTrainer::add(std::string_view text) {
  if (std::optional<size_t> at = findIllFormed(text))
    return io::Error{"the text is not UTF-8 at byte " + std::to_string(*at)};
  size_t open = 0;
  for (size_t at = 0; at < text.size();) {
    auto token = plan.special.empty() ? std::nullopt : finder.longest(text, at);
    if (!token) {
      ++at;
      continue;
    }
    if (io::Status status = addSection(text.substr(open, at - open)); !status)
      return status;
    open = at = token->second;
  }
  return addSection(text.substr(open));
}

/// Cuts a section where that changes no word: at a line end between two visible ASCII characters. In both styles a word
/// ends with it, and has no other white space.
io::Status TokenizerTrainer::addSection(std::string_view section) {
  auto visible = [&](size_t at) { return section[at] > ' ' && section[at] < '\x7f'; };
  size_t begin = 0;
  for (size_t at = blockSize; at + 1 < section.size(); ++at) {
    if (section[at] != '\n' || !visible(at - 1) || !visible(at + 1))
      continue;
    if (io::Status status = addBlock(section.substr(begin, at + 1 - begin)); !status)
      return status;
    begin = at + 1;
    at += blockSize;
  }
  return addBlock(section.substr(begin));
}

io::Status TokenizerTrainer::addBlock(std::string_view block) {
  Pieces pieces({std::string(block), true});
  if (io::Status status = words->apply(pieces); !status)
    return status;
  for (size_t i = 0; i < pieces.spans.size(); ++i) {
    std::string_view word = pieces.at(i);
    std::optional<size_t> index = found.find(word);
    if (!index) {
      index = found.size();
      found.add(word);
      counts.push_back(0);
    }
    ++counts[*index];
  }
  return {};
}

io::Result<TrainedTokenizer> TokenizerTrainer::train() const {
  BpeTrainer trainer(uint32_t(alphabet().tokens.size()), plan.leastCount);
  std::vector<uint32_t> symbols;
  for (size_t i = 0; i < counts.size(); ++i) {
    symbols.clear();
    for (size_t at = 0; at < found[i].size();)
      symbols.push_back(alphabet().symbols[size_t(characterByte(next(found[i], at)))]);
    if (io::Status status = trainer.add(symbols, counts[i]); !status)
      return status.error();
  }

  uint64_t bytes = trainer.length();
  size_t first = plan.special.size();
  std::vector<std::string> tokens = plan.special;
  tokens.insert(tokens.end(), alphabet().tokens.begin(), alphabet().tokens.end());
  std::unordered_set<std::string> reserved(plan.special.begin(), plan.special.end());
  std::vector<std::pair<size_t, size_t>> merges;
  while (int64_t(tokens.size()) < plan.vocabSize) {
    std::optional<BpeTrainer::Pair> best = trainer.best();
    if (!best)
      break;
    size_t left = first + best->left, right = first + best->right;
    std::string token = tokens[left] + tokens[right];
    if (reserved.count(token)) { // text must not become a special token
      trainer.drop();
      continue;
    }
    trainer.join();
    tokens.push_back(std::move(token));
    merges.emplace_back(left, right);
  }

  TrainedTokenizer made{tokenizerText(plan, tokens, merges), tokenizerConfigText(plan), int64_t(tokens.size()), bytes,
                        trainer.length()};
  if (auto read = makeTokenizer(made.tokenizer.data(), made.tokenizer.size(), {}); !read)
    return read.error();
  return made;
}

} // namespace chimera::text
