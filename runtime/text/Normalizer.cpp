// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/Normalizer.h"

#include "runtime/text/JsonFields.h"
#include "runtime/text/PatternField.h"
#include "runtime/text/Unicode.h"

#include <array>

namespace chimera::text {

/// The 256 characters: those of Latin-1 that can be seen stand for themselves, the others for U+0100 and up.
static const std::array<uint32_t, 256> &byteCharacters() {
  static const std::array<uint32_t, 256> map = [] {
    std::array<uint32_t, 256> made{};
    uint32_t other = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      bool seen = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      made[byte] = seen ? byte : other++;
    }
    return made;
  }();
  return map;
}

uint32_t byteCharacter(uint8_t byte) {
  return byteCharacters()[byte];
}

int characterByte(uint32_t point) {
  static const std::array<int16_t, 0x144> map = [] {
    std::array<int16_t, 0x144> made{};
    made.fill(-1);
    for (int byte = 0; byte < 256; ++byte)
      made[byteCharacters()[size_t(byte)]] = int16_t(byte);
    return made;
  }();
  return point < map.size() ? map[point] : -1;
}

void appendByteCharacters(std::string &out, std::string_view text) {
  for (char byte : text)
    append(out, byteCharacters()[uint8_t(byte)]);
}

namespace {
struct Unicode : Normalizer {
  explicit Unicode(NormalForm form) : form(form) {}
  io::Status apply(Section &section) const override {
    section.text = normalize(section.text, form);
    return {};
  }
  NormalForm form;
};

struct Lowercase : Normalizer {
  io::Status apply(Section &section) const override {
    std::string out;
    out.reserve(section.text.size());
    for (size_t at = 0; at < section.text.size();)
      appendLower(out, next(section.text, at));
    section.text = std::move(out);
    return {};
  }
};

struct ByteLevel : Normalizer {
  io::Status apply(Section &section) const override {
    std::string out;
    out.reserve(section.text.size() * 2);
    appendByteCharacters(out, section.text);
    section.text = std::move(out);
    return {};
  }
};

struct Prepend : Normalizer {
  explicit Prepend(std::string text) : text(std::move(text)) {}
  io::Status apply(Section &section) const override {
    if (!section.text.empty())
      section.text.insert(0, text);
    return {};
  }
  std::string text;
};

struct StripAccents : Normalizer {
  io::Status apply(Section &section) const override {
    std::string out;
    for (size_t at = 0; at < section.text.size();) {
      size_t begin = at;
      if (!isMark(next(section.text, at)))
        out.append(section.text, begin, at - begin);
      else if (begin == 0)
        section.atStart = false;
    }
    section.text = std::move(out);
    return {};
  }
};

struct Strip : Normalizer {
  Strip(bool left, bool right) : left(left), right(right) {}
  io::Status apply(Section &section) const override {
    const std::string &text = section.text;
    size_t begin = 0, end = text.size();
    for (size_t at = 0; left && at < text.size() && isWhitespace(next(text, at));)
      begin = at;
    while (right && end > begin) {
      size_t last = before(text, end), at = last;
      if (!isWhitespace(next(text, at)))
        break;
      end = last;
    }
    section.atStart &= begin == 0;
    section.text = text.substr(begin, end - begin);
    return {};
  }
  bool left, right;
};

struct Replace : Normalizer {
  Replace(Pattern pattern, std::string content) : pattern(std::move(pattern)), content(std::move(content)) {}
  io::Status apply(Section &section) const override {
    PatternMatcher matcher(pattern);
    io::Result<std::vector<Part>> parts = matcher.parts(section.text);
    if (!parts)
      return parts.error();
    std::string out;
    out.reserve(section.text.size());
    for (const Part &part : *parts)
      if (part.matches)
        out += content;
      else
        out.append(section.text, part.span.begin, part.span.end - part.span.begin);
    // Where the beginning is replaced, the first character stands for the last that was replaced.
    if (!parts->empty() && parts->front().matches && parts->front().span.end > 0) {
      size_t at = 0;
      (void)next(section.text, at);
      section.atStart &= !content.empty() && at == parts->front().span.end;
    }
    section.text = std::move(out);
    return {};
  }
  Pattern pattern;
  std::string content;
};

struct Sequence : Normalizer {
  io::Status apply(Section &section) const override {
    for (const auto &step : steps)
      if (io::Status status = step->apply(section); !status)
        return status;
    return {};
  }
  std::vector<std::unique_ptr<Normalizer>> steps;
};
} // namespace

static std::unique_ptr<Normalizer> readSequence(Fields &fields) {
  auto sequence = std::make_unique<Sequence>();
  const nlohmann::json &steps = fields.array("normalizers");
  for (size_t i = 0; i < steps.size(); ++i) {
    auto step = Normalizer::read(steps[i], fields.where() + ".normalizers[" + std::to_string(i) + "]");
    if (!step) {
      fields.fail(step.error());
      break;
    }
    sequence->steps.push_back(std::move(*step));
  }
  return sequence;
}

io::Result<std::unique_ptr<Normalizer>> Normalizer::read(const nlohmann::json &object, const std::string &where) {
  Fields fields(object, where);
  std::string type = fields.string("type");
  std::unique_ptr<Normalizer> made;
  if (type == "Sequence") {
    made = readSequence(fields);
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    made = std::make_unique<Unicode>(type == "NFC"    ? NormalForm::C
                                     : type == "NFD"  ? NormalForm::D
                                     : type == "NFKC" ? NormalForm::KC
                                                      : NormalForm::KD);
  } else if (type == "Lowercase") {
    made = std::make_unique<Lowercase>();
  } else if (type == "ByteLevel") {
    made = std::make_unique<ByteLevel>();
  } else if (type == "Prepend") {
    made = std::make_unique<Prepend>(fields.string("prepend"));
  } else if (type == "StripAccents") {
    made = std::make_unique<StripAccents>();
  } else if (type == "Strip") {
    bool left = fields.boolean("strip_left");
    made = std::make_unique<Strip>(left, fields.boolean("strip_right"));
  } else if (type == "Replace") {
    std::optional<Pattern> pattern = readPattern(fields, "pattern");
    if (pattern)
      made = std::make_unique<Replace>(std::move(*pattern), fields.string("content"));
  } else {
    fields.fail("the normalizer " + io::quote(type) + " is not supported", "type");
  }
  if (io::Status status = fields.finish(); !status)
    return status.error();
  return made;
}

} // namespace chimera::text
