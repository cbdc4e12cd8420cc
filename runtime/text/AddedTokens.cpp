// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/AddedTokens.h"

#include "runtime/text/JsonFields.h"
#include "runtime/text/Unicode.h"
#include "runtime/text/Utf8.h"

#include <algorithm>

namespace chimera::text {

void StringFinder::add(std::string_view text, uint32_t value) {
  begins[uint8_t(text[0])] = true;
  uint32_t node = 0;
  for (char byte : text) {
    uint32_t &child = children[uint64_t(node) << 8 | uint8_t(byte)];
    if (!child) {
      child = uint32_t(nodes.size());
      nodes.emplace_back();
    }
    node = child;
  }
  nodes[node].value = value;
}

std::optional<std::pair<uint32_t, size_t>> StringFinder::longest(std::string_view text, size_t at) const {
  if (!begins[uint8_t(text[at])])
    return std::nullopt;
  std::optional<std::pair<uint32_t, size_t>> found;
  uint32_t node = 0;
  for (; at < text.size(); ++at) {
    const uint32_t *child = children.find(uint64_t(node) << 8 | uint8_t(text[at]));
    if (!child)
      break;
    node = *child;
    if (nodes[node].value)
      found = {*nodes[node].value, at + 1};
  }
  return found;
}

io::Result<AddedTokens> AddedTokens::read(const nlohmann::json &array, const Bpe &bpe, const Normalizer *normalizer) {
  AddedTokens added;
  if (!array.is_array())
    return io::Error{"added_tokens: must be an array"};
  for (size_t i = 0; i < array.size(); ++i)
    if (io::Status status = added.add(array[i], "added_tokens[" + std::to_string(i) + "]", bpe, normalizer); !status)
      return status.error();
  return added;
}

io::Status AddedTokens::add(const nlohmann::json &entry, const std::string &where, const Bpe &bpe,
                            const Normalizer *normalizer) {
  constexpr size_t lengthLimit = 1000;
  Fields fields(entry, where);
  AddedToken token;
  token.content = token.text = fields.string("content");
  token.id = int32_t(fields.integer("id", Bpe::idLimit));
  token.singleWord = fields.boolean("single_word");
  token.strip[0] = fields.boolean("lstrip");
  token.strip[1] = fields.boolean("rstrip");
  token.isNormalized = fields.boolean("normalized");
  token.isSpecial = fields.boolean("special");
  if (io::Status status = fields.finish(); !status)
    return status;
  if (token.isNormalized && normalizer) {
    Section section{token.content};
    if (io::Status status = normalizer->apply(section); !status)
      return io::Error{where + ": " + status.error().message};
    token.text = std::move(section.text);
  }
  if (token.text.empty() || token.text.size() > lengthLimit)
    return io::Error{where + ".content: must be of 1 to " + std::to_string(lengthLimit) + " bytes"};
  std::optional<std::string_view> other = bpe.tokenOf(token.id);
  std::optional<int32_t> known = bpe.idOf(token.content);
  if (known ? *known != token.id : other.has_value())
    return io::Error{
        where + ": " + io::quote(token.content) + " has the id " + std::to_string(token.id) + ", in model.vocab " +
        (known ? "it is " + std::to_string(*known) : "this is the id of " + io::quote(std::string(*other)))};
  if (!ids.emplace(token.id, tokens.size()).second || !contents.emplace(token.content, tokens.size()).second)
    return io::Error{where + ": the id " + std::to_string(token.id) + " or " + io::quote(token.content) +
                     " occurs twice"};
  if (auto same = finders[token.isNormalized].longest(token.text, 0); same && same->second == token.text.size())
    return io::Error{where + ": is the same in normalized text as " + io::quote(tokens[same->first].content)};
  finders[token.isNormalized].add(token.text, uint32_t(tokens.size()));
  if (token.isSpecial)
    specials.insert(token.content);
  tokens.push_back(std::move(token));
  return {};
}

/// Whether a word character ends `text` before `at`, or begins it there.
static bool wordBeside(std::string_view text, size_t at, bool left) {
  if (left ? at == 0 : at == text.size())
    return false;
  size_t place = left ? before(text, at) : at;
  return isWord(next(text, place));
}

std::vector<TokenOrText> AddedTokens::find(std::string_view text, bool normalized, bool special) const {
  std::vector<TokenOrText> parts;
  size_t open = 0;
  for (size_t at = 0; at < text.size();) {
    auto found = finders[normalized].longest(text, at);
    if (!found) {
      ++at;
      continue;
    }
    const AddedToken &token = tokens[found->first];
    size_t begin = at, end = found->second;
    at = end;
    if (token.isSpecial && !special)
      continue;
    if (token.singleWord && (wordBeside(text, begin, true) || wordBeside(text, end, false)))
      continue;
    while (token.strip[0] && begin > open) {
      size_t last = before(text, begin), place = last;
      if (!isWhitespace(next(text, place)))
        break;
      begin = last;
    }
    begin = std::max(begin, open); // a token before may have taken spaces that this one begins with
    for (size_t place = end; token.strip[1] && place < text.size() && isWhitespace(next(text, place));)
      end = place;
    if (open < begin)
      parts.push_back({nullptr, open, begin});
    parts.push_back({&token, begin, std::max(begin, end)});
    open = std::max(open, end);
  }
  if (open < text.size())
    parts.push_back({nullptr, open, text.size()});
  return parts;
}

const AddedToken *AddedTokens::byId(int64_t id) const {
  auto found = id < 0 || id > Bpe::idLimit ? ids.end() : ids.find(int32_t(id));
  return found == ids.end() ? nullptr : &tokens[found->second];
}

const AddedToken *AddedTokens::byContent(const std::string &content) const {
  auto found = contents.find(content);
  return found == contents.end() ? nullptr : &tokens[found->second];
}

} // namespace chimera::text
