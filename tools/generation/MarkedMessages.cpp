// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/generation/MarkedMessages.h"

#include "runtime/text/Utf8.h"

#include <functional>
#include <set>

namespace chimera::run {

using io::Error;
using io::Result;
using io::Status;
using nlohmann::json;

/// Calls `visit` for every string in a value.
static Status eachString(json &value, const std::function<Status(std::string &)> &visit) {
  if (value.is_string())
    return visit(value.get_ref<std::string &>());
  if (value.is_structured())
    for (json &part : value)
      if (Status status = eachString(part, visit); !status)
        return status;
  return {};
}

/// A character for private use that `text` does not contain; empty if there is none.
static std::string unusedCharacter(const std::string &text) {
  for (auto [first, last] :
       {std::pair(0xE000u, 0xF8FFu), std::pair(0xF0000u, 0xFFFFDu), std::pair(0x100000u, 0x10FFFDu)})
    for (uint32_t point = first; point <= last; ++point) {
      std::string character;
      text::append(character, point);
      if (text.find(character) == std::string::npos)
        return character;
    }
  return {};
}

/// `text` with the mark after the first character of each special token in it.
static std::string marked(const std::string &text, const std::vector<std::string> &specials, const std::string &mark) {
  std::set<size_t> places;
  for (const std::string &special : specials) {
    size_t first = 0;
    if (!special.empty())
      (void)text::next(special, first);
    if (first < special.size())
      for (size_t at = text.find(special); at != std::string::npos; at = text.find(special, at + 1))
        places.insert(at + first);
  }
  std::string out;
  size_t from = 0;
  for (size_t place : places) {
    out.append(text, from, place - from) += mark;
    from = place;
  }
  return out.append(text, from, std::string::npos);
}

Result<MarkedMessages> markSpecialTokens(json messages, const std::string &templateText, const Tokenizer &tokenizer) {
  std::vector<std::string> specials;
  std::string mark;
  auto prepare = [&]() -> Status {
    specials = tokenizer.specialTokens();
    std::string everything = templateText;
    for (const std::string &special : specials)
      everything += special;
    (void)eachString(messages, [&](std::string &text) {
      everything += text;
      return Status();
    });
    mark = unusedCharacter(everything);
    return mark.empty() ? Error{"the messages contain every character for private use"} : Status();
  };
  Status status = eachString(messages, [&](std::string &text) -> Status {
    Result<bool> has = tokenizer.hasSpecial(text, mark);
    if (!has)
      return has.error();
    if (!*has)
      return {};
    if (mark.empty())
      if (Status prepared = prepare(); !prepared)
        return prepared;
    text = marked(text, specials, mark);
    has = tokenizer.hasSpecial(text, mark);
    if (!has)
      return has.error();
    if (*has)
      return Error{"a message has a special token that cannot be kept as text, in " + io::quote(text) +
                   "; --parse-special takes it for the token"};
    return {};
  });
  if (!status)
    return status.error();
  return MarkedMessages{std::move(messages), std::move(mark)};
}

} // namespace chimera::run
