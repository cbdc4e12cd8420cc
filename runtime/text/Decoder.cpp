// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Decoder.h"

#include "runtime/text/Normalizer.h"
#include "runtime/text/PatternField.h"

#include <algorithm>
#include <cctype>

namespace chimera::text {

namespace {
/// Passes on what a function (token, index) makes of each token.
template <typename Change> struct PerToken : DecodingStage {
  explicit PerToken(Change change) : change(std::move(change)) {}
  io::Status push(std::string_view token) override {
    io::Result<std::string> changed = change(token, index++);
    return changed ? next->push(*changed) : changed.error();
  }
  Change change;
  size_t index = 0;
};

/// Collects a text that comes in parts, for a step that has to see all of it, and gives it on as one token.
struct Collect : DecodingStage {
  explicit Collect(std::unique_ptr<DecodingStage> step) : step(std::move(step)) {}
  io::Status push(std::string_view part) override {
    text += part;
    return {};
  }
  io::Status finish() override {
    step->next = next;
    if (io::Status status = step->push(text); !status)
      return status;
    return step->finish();
  }
  std::unique_ptr<DecodingStage> step;
  std::string text;
};

/// `step`, which works on tokens, for what comes in.
std::unique_ptr<DecodingStage> forFlow(Flow flow, std::unique_ptr<DecodingStage> step) {
  if (flow == Flow::Text)
    return std::make_unique<Collect>(std::move(step));
  return step;
}

template <typename Change> std::unique_ptr<DecodingStage> perToken(Change change) {
  return std::make_unique<PerToken<Change>>(std::move(change));
}

struct ByteLevelStage : DecodingStage {
  io::Status push(std::string_view token) override {
    std::string bytes;
    bool mapped = true;
    for (size_t at = 0; at < token.size() && mapped;) {
      int byte = characterByte(text::next(token, at));
      mapped = byte >= 0;
      bytes += char(byte);
    }
    std::string out;
    decoder.push(mapped ? std::string_view(bytes) : token, out);
    return next->push(out);
  }
  io::Status finish() override {
    std::string out;
    decoder.finish(out);
    if (io::Status status = next->push(out); !status)
      return status;
    return next->finish();
  }
  LossyDecoder decoder;
};

/// Runs of tokens <0x00> to <0xFF> become their characters; if they are not UTF-8, each byte becomes U+FFFD.
struct ByteFallbackStage : DecodingStage {
  explicit ByteFallbackStage(bool eager) : eager(eager) {}
  io::Status push(std::string_view token) override {
    if (int byte = value(token); byte >= 0) {
      held += char(byte);
      return eager ? giveComplete() : io::Status();
    }
    if (io::Status status = endRun(); !status)
      return status;
    return next->push(token);
  }
  io::Status finish() override {
    if (io::Status status = endRun(); !status)
      return status;
    return next->finish();
  }
  /// The byte that a token stands for, or -1. Rust's from_str_radix takes a sign, so <0x+F> is one.
  static int value(std::string_view token) {
    if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>')
      return -1;
    std::string_view digits = token.substr(token[3] == '+' ? 4 : 3, token[3] == '+' ? 1 : 2);
    int byte = 0;
    for (char digit : digits) {
      if (!std::isxdigit(uint8_t(digit)))
        return -1;
      byte = byte * 16 + (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return byte;
  }
  io::Status giveComplete() {
    if (broken || scan(held, 0).kind == Scan::Kind::Invalid) {
      broken = true;
      return giveReplacements();
    }
    if (scan(held, 0).kind == Scan::Kind::Incomplete)
      return {};
    return next->push(std::exchange(held, {}));
  }
  io::Status giveReplacements() {
    for (size_t i = held.size(); i-- > 0;)
      if (io::Status status = next->push(replacement); !status)
        return status;
    held.clear();
    return {};
  }
  io::Status endRun() {
    broken = false;
    if (held.empty())
      return {};
    return findIllFormed(held) ? giveReplacements() : next->push(std::exchange(held, {}));
  }
  bool eager, broken = false;
  std::string held;
};

/// Takes up to `start` characters `mark` from the beginning of a text and up to `stop` from its end.
struct StripTextStage : DecodingStage {
  StripTextStage(std::string mark, size_t start, size_t stop) : mark(std::move(mark)), start(start), stop(stop) {}
  io::Status push(std::string_view part) override {
    held += part;
    size_t at = 0;
    while (start > 0 && at < held.size()) {
      if (held.compare(at, mark.size(), mark) != 0) {
        start = 0;
        break;
      }
      at += mark.size();
      --start;
    }
    held.erase(0, at);
    // What may yet be the end stays.
    size_t end = held.size();
    for (size_t i = 0; i < stop && endsWith(end); ++i)
      end -= mark.size();
    io::Status status = next->push(std::string_view(held).substr(0, end));
    held.erase(0, end);
    return status;
  }
  io::Status finish() override {
    size_t end = held.size();
    for (size_t i = 0; i < stop && endsWith(end); ++i)
      end -= mark.size();
    if (io::Status status = next->push(std::string_view(held).substr(0, end)); !status)
      return status;
    return next->finish();
  }
  bool endsWith(size_t end) const {
    return end >= mark.size() && held.compare(end - mark.size(), mark.size(), mark) == 0;
  }
  std::string mark, held;
  size_t start, stop;
};

struct ByteLevel : DecoderStep {
  std::unique_ptr<DecodingStage> begin(Flow &flow, bool) const override {
    auto stage = forFlow(flow, std::make_unique<ByteLevelStage>());
    flow = Flow::Text;
    return stage;
  }
};

struct ByteFallback : DecoderStep {
  std::unique_ptr<DecodingStage> begin(Flow &flow, bool eager) const override {
    return forFlow(flow, std::make_unique<ByteFallbackStage>(eager));
  }
};

struct Fuse : DecoderStep {
  bool joins() const override { return true; }
  std::unique_ptr<DecodingStage> begin(Flow &flow, bool) const override {
    flow = Flow::Text;
    return perToken([](std::string_view token, size_t) -> io::Result<std::string> { return std::string(token); });
  }
};

struct Strip : DecoderStep {
  Strip(uint32_t point, size_t start, size_t stop) : start(start), stop(stop) { append(mark, point); }
  std::unique_ptr<DecodingStage> begin(Flow &flow, bool) const override {
    if (flow == Flow::Text)
      return std::make_unique<StripTextStage>(mark, start, stop);
    return perToken([this](std::string_view token, size_t) -> io::Result<std::string> {
      for (size_t i = 0; i < start && token.substr(0, mark.size()) == mark; ++i)
        token.remove_prefix(mark.size());
      for (size_t i = 0; i < stop && token.size() >= mark.size() && token.substr(token.size() - mark.size()) == mark;
           ++i)
        token.remove_suffix(mark.size());
      return std::string(token);
    });
  }
  std::string mark;
  size_t start, stop;
};

struct Replace : DecoderStep {
  Replace(Pattern pattern, std::string content) : pattern(std::move(pattern)), content(std::move(content)) {}
  std::unique_ptr<DecodingStage> begin(Flow &flow, bool) const override {
    auto matcher = std::make_shared<PatternMatcher>(pattern);
    auto stage = perToken([this, matcher](std::string_view token, size_t) { return matcher->replace(token, content); });
    // A single character is found in parts of a text as well as in all of it.
    size_t at = 0;
    bool single = pattern.asLiteral() && !pattern.asLiteral()->empty() &&
                  (next(*pattern.asLiteral(), at), at == pattern.asLiteral()->size());
    return single ? std::move(stage) : forFlow(flow, std::move(stage));
  }
  Pattern pattern;
  std::string content;
};

struct Metaspace : DecoderStep {
  Metaspace(uint32_t mark, bool prepends) : mark(mark), prepends(prepends) {}
  std::unique_ptr<DecodingStage> begin(Flow &flow, bool) const override {
    bool isText = flow == Flow::Text;
    return perToken([this, isText](std::string_view token, size_t index) -> io::Result<std::string> {
      bool drops = prepends && (index == 0 || isText);
      std::string out;
      for (size_t at = 0; at < token.size();) {
        size_t begin = at;
        if (next(token, at) != mark)
          out += token.substr(begin, at - begin);
        else if (!drops)
          out += ' ';
      }
      return out;
    });
  }
  uint32_t mark;
  bool prepends;
};

/// Puts a space between tokens.
struct SpacesStage : DecodingStage {
  io::Status push(std::string_view token) override {
    std::string text = first ? "" : " ";
    first = false;
    return next->push(text.append(token));
  }
  bool first = true;
};

using Step = std::unique_ptr<DecoderStep>;
} // namespace

struct Decoding::Sink : DecodingStage {
  io::Status push(std::string_view part) override {
    text += part;
    return {};
  }
  io::Status finish() override { return {}; }
  std::string text;
};

Decoding::Decoding(const Decoder &decoder, bool eager) : sink(std::make_unique<Sink>()) {
  Flow flow = Flow::Tokens;
  // A token that comes in parts is the same to a step that joins tokens, and to nobody.
  for (size_t i = 0; i < decoder.steps.size(); ++i) {
    bool joined = i + 1 == decoder.steps.size() || decoder.steps[i + 1]->joins();
    stages.push_back(decoder.steps[i]->begin(flow, eager && joined));
  }
  if (decoder.steps.empty())
    stages.push_back(std::make_unique<SpacesStage>());
  for (size_t i = 0; i < stages.size(); ++i)
    stages[i]->next = i + 1 < stages.size() ? stages[i + 1].get() : sink.get();
  first = stages.front().get();
}

Decoding::~Decoding() = default;
Decoding::Decoding(Decoding &&) noexcept = default;

std::string Decoding::take() {
  return std::exchange(sink->text, {});
}

static Step readMetaspace(Fields &fields) {
  static const std::vector<const char *> schemes = {"first", "never", "always"};
  uint32_t mark = fields.character("replacement");
  bool prepends = fields.choice("prepend_scheme", schemes, 2) != 1;
  fields.ignore("split");
  fields.ignore("str_rep");
  return std::make_unique<Metaspace>(mark, fields.boolean("add_prefix_space", true) && prepends);
}

static Step readType(Fields &fields) {
  std::string type = fields.string("type");
  if (type == "ByteLevel") {
    for (const char *unused : {"add_prefix_space", "trim_offsets", "use_regex"}) // of the pre-tokenizer of that name
      fields.ignore(unused);
    return std::make_unique<ByteLevel>();
  }
  if (type == "ByteFallback")
    return std::make_unique<ByteFallback>();
  if (type == "Fuse")
    return std::make_unique<Fuse>();
  if (type == "Metaspace")
    return readMetaspace(fields);
  if (type == "Strip") {
    uint32_t mark = fields.character("content");
    size_t start = size_t(fields.integer("start", 1 << 20));
    return std::make_unique<Strip>(mark, start, size_t(fields.integer("stop", 1 << 20)));
  }
  if (type == "Replace") {
    std::optional<Pattern> pattern = readPattern(fields, "pattern");
    std::string content = fields.string("content");
    return pattern ? std::make_unique<Replace>(std::move(*pattern), std::move(content)) : nullptr;
  }
  fields.fail("the decoder " + io::quote(type) + " is not supported", "type");
  return nullptr;
}

/// Appends the step that `object` describes, or the steps of a Sequence.
static io::Status readSteps(const nlohmann::json &object, const std::string &where, std::vector<Step> &steps) {
  Fields fields(object, where);
  bool isSequence = object.is_object() && object.contains("type") && object["type"] == "Sequence";
  if (!isSequence) {
    steps.push_back(readType(fields));
    return fields.finish();
  }
  fields.ignore("type");
  const nlohmann::json &inner = fields.array("decoders");
  for (size_t i = 0; i < inner.size(); ++i)
    if (io::Status status = readSteps(inner[i], where + ".decoders[" + std::to_string(i) + "]", steps); !status)
      return status;
  return fields.finish();
}

io::Result<Decoder> Decoder::read(const nlohmann::json &object, const std::string &where) {
  Decoder decoder;
  if (io::Status status = readSteps(object, where, decoder.steps); !status)
    return status.error();
  if (decoder.steps.empty()) // an empty Sequence changes nothing: tokens are put together
    decoder.steps.push_back(std::make_unique<Fuse>());
  return decoder;
}

} // namespace chimera::text
