// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/PreTokenizer.h"

#include "runtime/text/PatternField.h"
#include "runtime/text/Unicode.h"

namespace chimera::text {

Pieces::Pieces(Section section) : text(std::move(section.text)), atStart(section.atStart) {
  if (!text.empty())
    spans.push_back({0, text.size()});
}

/// Replaces each piece by the spans that `split` (from a piece's text to spans in it) makes of it.
template <typename Split> static io::Status splitEach(Pieces &pieces, Split split) {
  std::vector<Span> cuts;
  cuts.reserve(pieces.spans.size());
  for (size_t i = 0; i < pieces.spans.size(); ++i) {
    io::Result<std::vector<Span>> parts = split(pieces.at(i));
    if (!parts)
      return parts.error();
    size_t begin = pieces.spans[i].begin;
    if (i == 0 && (parts->empty() || parts->front().begin > 0))
      pieces.atStart = false;
    for (Span part : *parts)
      cuts.push_back({begin + part.begin, begin + part.end});
  }
  pieces.spans = std::move(cuts);
  return {};
}

/// Replaces each piece by what `change` (piece, is the first, out) appends for it.
template <typename Change> static io::Status changeEach(Pieces &pieces, Change change) {
  std::string text;
  text.reserve(pieces.text.size() * 2);
  for (size_t i = 0; i < pieces.spans.size(); ++i) {
    size_t begin = text.size();
    change(pieces.at(i), i == 0 && pieces.atStart, text);
    pieces.spans[i] = {begin, text.size()};
  }
  pieces.text = std::move(text);
  return {};
}

namespace {
struct Split : PreTokenizer {
  Split(Pattern pattern, Behavior behavior, bool invert)
      : pattern(std::move(pattern)), behavior(behavior), invert(invert) {}
  io::Status apply(Pieces &pieces) const override {
    PatternMatcher matcher(pattern);
    return splitEach(pieces, [&](std::string_view text) -> io::Result<std::vector<Span>> {
      io::Result<std::vector<Part>> parts = matcher.parts(text);
      if (!parts)
        return parts.error();
      for (Part &part : *parts)
        part.matches ^= invert;
      return cut(*parts, behavior);
    });
  }
  Pattern pattern;
  Behavior behavior;
  bool invert;
};

/// Cuts at the characters for which a function holds.
struct SplitAt : PreTokenizer {
  SplitAt(bool (*is)(uint32_t), Behavior behavior) : is(is), behavior(behavior) {}
  io::Status apply(Pieces &pieces) const override {
    return splitEach(pieces, [&](std::string_view text) -> io::Result<std::vector<Span>> {
      return cut(partsOf(text, is), behavior);
    });
  }
  bool (*is)(uint32_t);
  Behavior behavior;
};

/// Runs of word characters, runs of others; spaces are dropped.
struct Whitespace : PreTokenizer {
  io::Status apply(Pieces &pieces) const override {
    return splitEach(pieces, [](std::string_view text) -> io::Result<std::vector<Span>> {
      std::vector<Span> spans;
      int previous = 0;
      for (size_t at = 0; at < text.size();) {
        size_t begin = at;
        uint32_t point = next(text, at);
        int kind = isWord(point) ? 1 : isWhitespace(point) ? 0 : 2;
        if (kind && kind == previous)
          spans.back().end = at;
        else if (kind)
          spans.push_back({begin, at});
        previous = kind;
      }
      return spans;
    });
  }
};

struct ByteLevel : PreTokenizer {
  ByteLevel(bool addPrefixSpace, std::unique_ptr<PreTokenizer> words)
      : addPrefixSpace(addPrefixSpace), words(std::move(words)) {}
  io::Status apply(Pieces &pieces) const override {
    if (addPrefixSpace)
      (void)changeEach(pieces, [](std::string_view piece, bool, std::string &out) {
        out += piece.front() == ' ' ? "" : " ";
        out += piece;
      });
    if (io::Status status = words ? words->apply(pieces) : io::Status(); !status)
      return status;
    return changeEach(pieces, [](std::string_view piece, bool, std::string &out) { appendByteCharacters(out, piece); });
  }
  bool addPrefixSpace;
  std::unique_ptr<PreTokenizer> words; ///< Null: pieces stay whole.
};

struct Metaspace : PreTokenizer {
  enum class Scheme { First, Never, Always };
  Metaspace(uint32_t replacement, Scheme scheme, bool split) : scheme(scheme), split(split) {
    append(mark, replacement);
  }
  io::Status apply(Pieces &pieces) const override {
    io::Status changed = changeEach(pieces, [&](std::string_view piece, bool first, std::string &out) {
      bool marked = piece.front() == ' ' || piece.compare(0, mark.size(), mark) == 0;
      if (!marked && (scheme == Scheme::Always || (scheme == Scheme::First && first)))
        out += mark;
      for (char byte : piece)
        byte == ' ' ? out += mark : out += byte;
    });
    if (!changed || !split)
      return changed;
    return splitEach(pieces, [&](std::string_view text) -> io::Result<std::vector<Span>> {
      Pattern pattern(mark);
      io::Result<std::vector<Part>> parts = PatternMatcher(pattern).parts(text);
      return parts ? io::Result<std::vector<Span>>(cut(*parts, Behavior::MergedWithNext)) : parts.error();
    });
  }
  std::string mark;
  Scheme scheme;
  bool split;
};

struct Sequence : PreTokenizer {
  io::Status apply(Pieces &pieces) const override {
    for (const auto &step : steps)
      if (io::Status status = step->apply(pieces); !status)
        return status;
    return {};
  }
  std::vector<std::unique_ptr<PreTokenizer>> steps;
};

using Made = std::unique_ptr<PreTokenizer>;
} // namespace

/// GPT-2's words, which ByteLevel cuts at.
static constexpr const char *gpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

static Behavior readBehavior(Fields &fields, std::optional<size_t> otherwise = {}) {
  static const std::vector<const char *> names = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                                  "Contiguous"};
  return Behavior(fields.choice("behavior", names, otherwise));
}

static Made readByteLevel(Fields &fields) {
  bool space = fields.boolean("add_prefix_space");
  fields.ignore("trim_offsets");
  Made words;
  if (fields.boolean("use_regex", true)) {
    io::Result<Regex> regex = Regex::fromOniguruma(gpt2Words);
    if (!regex)
      fields.fail(regex.error().message);
    else
      words = std::make_unique<Split>(Pattern(*regex), Behavior::Isolated, false);
  }
  return std::make_unique<ByteLevel>(space, std::move(words));
}

static Made readMetaspace(Fields &fields) {
  static const std::vector<const char *> schemes = {"first", "never", "always"};
  uint32_t mark = fields.character("replacement");
  auto scheme = Metaspace::Scheme(fields.choice("prepend_scheme", schemes, size_t(Metaspace::Scheme::Always)));
  bool split = fields.boolean("split", true);
  fields.ignore("str_rep"); // a copy of the replacement that old versions wrote
  if (!fields.boolean("add_prefix_space", true) && scheme != Metaspace::Scheme::Never) {
    if (fields.has("prepend_scheme"))
      fields.fail("contradicts prepend_scheme", "add_prefix_space");
    scheme = Metaspace::Scheme::Never;
  }
  return std::make_unique<Metaspace>(mark, scheme, split);
}

static Made readSequence(Fields &fields) {
  auto sequence = std::make_unique<Sequence>();
  const nlohmann::json &steps = fields.array("pretokenizers");
  for (size_t i = 0; i < steps.size(); ++i) {
    auto step = PreTokenizer::read(steps[i], fields.where() + ".pretokenizers[" + std::to_string(i) + "]");
    if (!step) {
      fields.fail(step.error());
      return nullptr;
    }
    sequence->steps.push_back(std::move(*step));
  }
  return sequence;
}

static Made readType(Fields &fields) {
  std::string type = fields.string("type");
  if (type == "Sequence")
    return readSequence(fields);
  if (type == "ByteLevel")
    return readByteLevel(fields);
  if (type == "Metaspace")
    return readMetaspace(fields);
  if (type == "Whitespace")
    return std::make_unique<Whitespace>();
  if (type == "WhitespaceSplit")
    return std::make_unique<SplitAt>(isWhitespace, Behavior::Removed);
  if (type == "Punctuation")
    return std::make_unique<SplitAt>(isPunctuation, readBehavior(fields, size_t(Behavior::Isolated)));
  if (type == "Digits")
    return std::make_unique<SplitAt>(isNumeric,
                                     fields.boolean("individual_digits") ? Behavior::Isolated : Behavior::Contiguous);
  if (type == "BertPreTokenizer") {
    auto sequence = std::make_unique<Sequence>();
    sequence->steps.push_back(std::make_unique<SplitAt>(isWhitespace, Behavior::Removed));
    sequence->steps.push_back(std::make_unique<SplitAt>(isPunctuation, Behavior::Isolated));
    return sequence;
  }
  if (type == "Split") {
    std::optional<Pattern> pattern = readPattern(fields, "pattern");
    Behavior behavior = readBehavior(fields);
    bool invert = fields.boolean("invert");
    return pattern ? std::make_unique<Split>(std::move(*pattern), behavior, invert) : nullptr;
  }
  fields.fail("the pre-tokenizer " + io::quote(type) + " is not supported", "type");
  return nullptr;
}

io::Result<Made> PreTokenizer::read(const nlohmann::json &object, const std::string &where) {
  Fields fields(object, where);
  Made made = readType(fields);
  if (io::Status status = fields.finish(); !status)
    return status.error();
  return made;
}

} // namespace chimera::text
