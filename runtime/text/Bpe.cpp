// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Bpe.h"

#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cstdio>

namespace chimera::text {

std::optional<std::pair<const int32_t *, size_t>> WordCache::find(std::string_view word) const {
  std::optional<size_t> index = words.find(word);
  if (!index)
    return std::nullopt;
  size_t begin = *index ? ends[*index - 1] : 0;
  return std::pair(tokens.data() + begin, ends[*index] - begin);
}

void WordCache::insert(std::string_view word, const int32_t *first, size_t count) {
  if (word.size() > lengthLimit)
    return;
  if (words.size() == entryLimit)
    *this = WordCache();
  words.add(word);
  tokens.insert(tokens.end(), first, first + count);
  ends.push_back(tokens.size());
}

static uint64_t pairKey(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}
static uint64_t jointKey(uint32_t left, uint32_t right) {
  return uint64_t(left) << 32 | right;
}

io::Result<Bpe> Bpe::make(BpeDescription description) {
  Bpe bpe;
  bpe.model = std::move(description);
  if (io::Status status = bpe.addVocab(); !status)
    return status.error();
  if (io::Status status = bpe.addMerges(); !status)
    return status.error();
  if (bpe.model.unknownToken) {
    std::optional<int32_t> id = bpe.idOf(*bpe.model.unknownToken);
    if (!id)
      return io::Error{"model.unk_token: " + io::quote(*bpe.model.unknownToken) + " is not in the vocabulary"};
    bpe.unknown = *id;
  }
  return bpe;
}

io::Status Bpe::addVocab() {
  auto quoted = [&](size_t index) { return io::quote(std::string(model.vocab[index])); };
  int64_t largest = -1;
  for (size_t i = 0; i < model.ids.size(); ++i) {
    if (model.ids[i] < 0 || model.ids[i] > idLimit)
      return io::Error{"model.vocab: the id of " + quoted(i) + " must be an integer from 0 to " +
                       std::to_string(idLimit)};
    largest = std::max(largest, model.ids[i]);
  }
  byId.assign(size_t(largest + 1), -1);
  characters.reserve(model.ids.size() / 8);
  for (size_t i = 0; i < model.ids.size(); ++i) {
    int32_t &place = byId[size_t(model.ids[i])];
    if (place >= 0)
      return io::Error{"model.vocab: " + quoted(size_t(place)) + " and " + quoted(i) + " have the same id " +
                       std::to_string(model.ids[i])};
    place = int32_t(i);
    std::string_view token = model.vocab[i];
    size_t at = 0;
    if (!token.empty())
      if (uint32_t point = next(token, at); at == token.size())
        characters[point] = int32_t(model.ids[i]);
  }
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", unsigned(byte));
    byteTokens[size_t(byte)] = idOf(name).value_or(-1);
  }
  return {};
}

io::Status Bpe::addMerges() {
  size_t prefix = model.continuingPrefix.size(), count = model.merges.size() / 2;
  merges.reserve(count);
  std::string joined;
  for (size_t rank = 0; rank < count; ++rank) {
    std::string_view left = model.merges[2 * rank], right = model.merges[2 * rank + 1];
    auto fail = [&](std::string_view token, const char *what) {
      return io::Error{"model.merges[" + std::to_string(rank) + "]: " + io::quote(std::string(token)) + what};
    };
    std::optional<int32_t> leftId = idOf(left), rightId = idOf(right);
    if (!leftId || !rightId)
      return fail(leftId ? right : left, " is not in the vocabulary");
    if (left.empty() || right.size() <= prefix)
      return fail(left.empty() ? left : right, " is empty or no longer than continuing_subword_prefix");
    joined.assign(left).append(right, prefix);
    std::optional<int32_t> id = idOf(joined);
    if (!id)
      return fail(joined, ", which it makes, is not in the vocabulary");
    merges[pairKey(*leftId, *rightId)] = {uint32_t(rank), *id}; // of two equal merges the later counts
    size_t last = before(left, left.size()), first = prefix;
    joints[jointKey(next(left, last), next(right, first))] = 1;
  }
  model.merges = {};
  return {};
}

std::optional<int32_t> Bpe::idOf(std::string_view token) const {
  std::optional<size_t> found = model.vocab.find(token);
  return found ? std::optional(int32_t(model.ids[*found])) : std::nullopt;
}

std::optional<std::string_view> Bpe::tokenOf(int64_t id) const {
  if (id < 0 || id > largestId() || byId[size_t(id)] < 0)
    return std::nullopt;
  return model.vocab[size_t(byId[size_t(id)])];
}

void Bpe::encode(std::string_view piece, Scratch &scratch, std::vector<int32_t> &out) const {
  if (model.ignoreMerges)
    if (std::optional<int32_t> id = idOf(piece)) {
      out.push_back(*id);
      return;
    }
  // Between two characters that no merge joins the piece can be cut without changing its tokens: a text that is one
  // piece becomes words, which the cache knows. Characters that are no token stay with their neighbours, since unknown
  // ones may fuse, and a prefix or suffix depends on the place in the piece.
  size_t begin = 0;
  if (piece.size() > 32 && model.continuingPrefix.empty() && model.endSuffix.empty()) {
    uint32_t previous = 0;
    bool wasToken = false;
    for (size_t at = 0; at < piece.size();) {
      size_t here = at;
      uint32_t point = next(piece, at);
      bool isToken = characters.find(point) != nullptr;
      if (isToken && wasToken && !joints.find(jointKey(previous, point))) {
        encodeWord(piece.substr(begin, here - begin), scratch, out);
        begin = here;
      }
      previous = point;
      wasToken = isToken;
    }
  }
  encodeWord(piece.substr(begin), scratch, out);
}

void Bpe::encodeWord(std::string_view word, Scratch &scratch, std::vector<int32_t> &out) const {
  if (auto found = scratch.cache.find(word)) {
    out.insert(out.end(), found->first, found->first + found->second);
    return;
  }
  split(word, scratch);
  merge(scratch);
  scratch.result.clear();
  for (const Scratch::Symbol &symbol : scratch.symbols)
    if (symbol.length)
      scratch.result.push_back(symbol.id);
  scratch.cache.insert(word, scratch.result.data(), scratch.result.size());
  out.insert(out.end(), scratch.result.begin(), scratch.result.end());
}

static void addSymbol(Bpe::Scratch &scratch, int32_t id, size_t length) {
  int32_t at = int32_t(scratch.symbols.size());
  scratch.symbols.push_back({id, at - 1, at + 1, uint32_t(length)});
}

/// Adds a token for each byte, if there is one for each.
bool Bpe::bytes(std::string_view character, Scratch &scratch) const {
  for (char byte : character)
    if (byteTokens[uint8_t(byte)] < 0)
      return false;
  for (char byte : character)
    addSymbol(scratch, byteTokens[uint8_t(byte)], 1);
  return true;
}

/// The characters of `word` as symbols. What is unknown follows the reference to the letter: it is added when the next
/// known character comes, behind byte tokens that came in between; without an unknown token it is left out.
void Bpe::split(std::string_view word, Scratch &scratch) const {
  scratch.symbols.clear();
  size_t pending = 0; // the bytes of an unknown token that is not added yet
  for (size_t at = 0; at < word.size();) {
    size_t begin = at;
    uint32_t point = next(word, at);
    std::string_view character = word.substr(begin, at - begin);
    std::string decorated;
    bool isPlain = (begin == 0 || model.continuingPrefix.empty()) && (at < word.size() || model.endSuffix.empty());
    if (!isPlain) {
      decorated = (begin == 0 ? "" : model.continuingPrefix) + std::string(character) +
                  (at < word.size() ? "" : model.endSuffix);
    }
    std::optional<int32_t> id;
    if (!isPlain)
      id = idOf(decorated);
    else if (const int32_t *found = characters.find(point))
      id = *found;
    if (id) {
      if (pending)
        addSymbol(scratch, unknown, pending);
      pending = 0;
      addSymbol(scratch, *id, at - begin);
      continue;
    }
    if (model.byteFallback && bytes(isPlain ? character : decorated, scratch))
      continue;
    if (unknown < 0)
      continue;
    if (pending && !model.fuseUnknown)
      addSymbol(scratch, unknown, std::exchange(pending, 0));
    pending += at - begin;
  }
  if (pending)
    addSymbol(scratch, unknown, pending);
}

static bool later(const Bpe::Scratch::Candidate &a, const Bpe::Scratch::Candidate &b) {
  return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
}

/// Queues the merge of the symbol at `at` with the next one, if there is one.
void Bpe::propose(Scratch &scratch, int32_t at) const {
  const Scratch::Symbol &symbol = scratch.symbols[size_t(at)];
  if (size_t(symbol.next) >= scratch.symbols.size())
    return;
  const Merge *found = merges.find(pairKey(symbol.id, scratch.symbols[size_t(symbol.next)].id));
  if (!found)
    return;
  scratch.queue.push_back({found->rank, uint32_t(at), found->id});
  std::push_heap(scratch.queue.begin(), scratch.queue.end(), later);
}

void Bpe::merge(Scratch &scratch) const {
  std::vector<Scratch::Symbol> &symbols = scratch.symbols;
  scratch.queue.clear();
  for (size_t at = 0; at + 1 < symbols.size(); ++at)
    propose(scratch, int32_t(at));
  while (!scratch.queue.empty()) {
    Scratch::Candidate top = scratch.queue.front();
    std::pop_heap(scratch.queue.begin(), scratch.queue.end(), later);
    scratch.queue.pop_back();
    Scratch::Symbol &left = symbols[top.at];
    if (!left.length || size_t(left.next) >= symbols.size())
      continue;
    Scratch::Symbol &right = symbols[size_t(left.next)];
    // One of the two may have become another symbol since; then this merge is taken only if it makes the same token.
    const Merge *current = merges.find(pairKey(left.id, right.id));
    if (!current || current->id != top.id)
      continue;
    left.id = top.id;
    left.length += right.length;
    left.next = right.next;
    right.length = 0;
    if (size_t(left.next) < symbols.size())
      symbols[size_t(left.next)].previous = int32_t(top.at);
    if (left.previous >= 0)
      propose(scratch, left.previous);
    propose(scratch, int32_t(top.at));
  }
}

} // namespace chimera::text
