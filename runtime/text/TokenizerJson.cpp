// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/TokenizerJson.h"

#include "runtime/text/AddedTokens.h"
#include "runtime/text/Decoder.h"
#include "runtime/text/JsonFields.h"
#include "runtime/text/PreTokenizer.h"
#include "runtime/text/TokenizerFile.h"
#include "runtime/text/Utf8.h"

#include <algorithm>

namespace chimera::text {

namespace {
/// The parts of a tokenizer.json; a missing step is null.
struct Parts {
  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> preTokenizer;
  Decoder decoder;
  Frame frame;
  std::optional<Bpe> bpe;
  AddedTokens added;
};

class JsonTokenizer : public Tokenizer {
public:
  explicit JsonTokenizer(Parts parts) : parts(std::move(parts)) {}

  io::Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options) const override;
  std::unique_ptr<StreamDecoder> stream(DecodeOptions options) const override;
  std::optional<std::string> tokenOf(int64_t id) const override;
  std::optional<int32_t> idOf(const std::string &token) const override;
  std::vector<std::string> specialTokens() const override;
  int64_t vocabSize() const override { return std::max(parts.bpe->largestId(), parts.added.largestId()) + 1; }

  /// What decoding takes for an id: the token as it stands in normalized text.
  std::optional<std::string_view> textOf(int64_t id) const;
  bool isSpecial(std::string_view text) const { return parts.added.isSpecial(text); }

  /// Puts the tokens around a text as the files beside the tokenizer.json say. The error: one is no token.
  io::Status frame(const SpecialTokens &special);

protected:
  std::unique_ptr<StreamDecoder> whole(DecodeOptions options) const override;

private:
  io::Result<std::string> normalized(std::string_view mark) const;
  io::Status encodeSection(Section section, const EncodeOptions &options, Bpe::Scratch &scratch,
                           std::vector<int32_t> &ids) const;

  Parts parts;
};

class JsonStream : public StreamDecoder {
public:
  JsonStream(const JsonTokenizer &tokenizer, const Decoder &decoder, DecodeOptions options, bool eager)
      : tokenizer(tokenizer), options(options), decoding(decoder, eager) {}

  io::Result<std::string> push(int64_t id) override {
    std::optional<std::string_view> token = tokenizer.textOf(id);
    if (!token || (options.skipSpecial && tokenizer.isSpecial(*token)))
      return std::string();
    if (io::Status status = decoding.push(*token); !status)
      return status.error();
    return decoding.take();
  }
  io::Result<std::string> flush() override {
    if (io::Status status = decoding.finish(); !status)
      return status.error();
    return decoding.take();
  }

private:
  const JsonTokenizer &tokenizer;
  DecodeOptions options;
  Decoding decoding;
};
} // namespace

/// A mark as it stands in normalized text: bytes may have become characters there.
io::Result<std::string> JsonTokenizer::normalized(std::string_view mark) const {
  Section section{std::string(mark), false};
  if (parts.normalizer && !mark.empty())
    if (io::Status status = parts.normalizer->apply(section); !status)
      return status.error();
  return section.text.find(mark) == std::string::npos ? section.text : std::string(mark);
}

io::Status JsonTokenizer::encodeSection(Section section, const EncodeOptions &options, Bpe::Scratch &scratch,
                                        std::vector<int32_t> &ids) const {
  if (parts.normalizer)
    if (io::Status status = parts.normalizer->apply(section); !status)
      return status;
  for (const TokenOrText &part : parts.added.find(section.text, true, options.parseSpecial)) {
    if (part.token) {
      ids.push_back(part.token->id);
      continue;
    }
    std::string text = section.text.substr(part.begin, part.end - part.begin);
    erase(text, options.mark);
    Pieces pieces({std::move(text), section.atStart && part.begin == 0});
    if (parts.preTokenizer)
      if (io::Status status = parts.preTokenizer->apply(pieces); !status)
        return status;
    for (size_t i = 0; i < pieces.spans.size(); ++i)
      parts.bpe->encode(pieces.at(i), scratch, ids);
  }
  return {};
}

io::Result<std::vector<int32_t>> JsonTokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (std::optional<size_t> at = findIllFormed(text))
    return io::Error{"the text is not UTF-8 at byte " + std::to_string(*at)};
  std::vector<int32_t> ids;
  if (options.addSpecial)
    ids = parts.frame.before;
  Bpe::Scratch scratch;
  io::Result<std::string> mark = normalized(options.mark);
  if (!mark)
    return mark.error();
  options.mark = *mark;
  for (const TokenOrText &part : parts.added.find(text, false, options.parseSpecial)) {
    if (part.token) {
      ids.push_back(part.token->id);
      continue;
    }
    Section section{std::string(text.substr(part.begin, part.end - part.begin)), part.begin == 0};
    if (io::Status status = encodeSection(std::move(section), options, scratch, ids); !status)
      return status.error();
  }
  if (options.addSpecial)
    ids.insert(ids.end(), parts.frame.behind.begin(), parts.frame.behind.end());
  return ids;
}

std::unique_ptr<StreamDecoder> JsonTokenizer::stream(DecodeOptions options) const {
  return std::make_unique<JsonStream>(*this, parts.decoder, options, true);
}

std::unique_ptr<StreamDecoder> JsonTokenizer::whole(DecodeOptions options) const {
  return std::make_unique<JsonStream>(*this, parts.decoder, options, false);
}

std::optional<std::string_view> JsonTokenizer::textOf(int64_t id) const {
  if (const AddedToken *token = parts.added.byId(id))
    return token->text;
  return parts.bpe->tokenOf(id);
}

std::optional<std::string> JsonTokenizer::tokenOf(int64_t id) const {
  if (const AddedToken *token = parts.added.byId(id))
    return token->content;
  std::optional<std::string_view> token = parts.bpe->tokenOf(id);
  return token ? std::optional(std::string(*token)) : std::nullopt;
}

std::optional<int32_t> JsonTokenizer::idOf(const std::string &token) const {
  if (const AddedToken *added = parts.added.byContent(token))
    return added->id;
  return parts.bpe->idOf(token);
}

std::vector<std::string> JsonTokenizer::specialTokens() const {
  std::vector<std::string> contents;
  for (const AddedToken &token : parts.added.all())
    if (token.isSpecial)
      contents.push_back(token.content);
  return contents;
}

io::Status JsonTokenizer::frame(const SpecialTokens &special) {
  for (const std::vector<int32_t> *ids : {&parts.frame.before, &parts.frame.behind})
    for (int32_t id : *ids)
      if (!textOf(id))
        return io::Error{"post_processor: " + std::to_string(id) + " is the id of no token"};
  return special.apply(parts.frame, [this](const std::string &token) { return idOf(token); });
}

static io::Result<Bpe> readModel(const nlohmann::json &object, TokenizerFile &file) {
  Fields fields(object, "model");
  std::string type = fields.string("type");
  if (type != "BPE")
    fields.fail("the model " + io::quote(type) + " is not supported; BPE is", "type");
  BpeDescription description = std::move(file.bpe);
  if (!file.hasVocab)
    (void)fields.object("vocab"); // which says that it is missing or no object
  if (!file.hasMerges)
    (void)fields.array("merges");
  description.unknownToken = fields.optionalString("unk_token");
  description.continuingPrefix = fields.optionalString("continuing_subword_prefix").value_or("");
  description.endSuffix = fields.optionalString("end_of_word_suffix").value_or("");
  description.fuseUnknown = fields.boolean("fuse_unk", false);
  description.byteFallback = fields.boolean("byte_fallback", false);
  description.ignoreMerges = fields.boolean("ignore_merges", false);
  if (fields.has("dropout") && object["dropout"] != 0.0)
    fields.fail("merges left out by chance are not supported", "dropout");
  fields.ignore("dropout");
  if (io::Status status = fields.finish(); !status)
    return status.error();
  return Bpe::make(std::move(description));
}

/// Reads the field `name` of the file by `read` into `made`, if it is there.
template <typename Made, typename Read>
static void readStep(Fields &fields, const nlohmann::json &file, const char *name, Made &made, Read read) {
  fields.ignore(name);
  if (!fields.has(name))
    return;
  auto step = read(file[name], name);
  if (step)
    made = std::move(*step);
  else
    fields.fail(step.error());
}

io::Result<std::unique_ptr<Tokenizer>> makeTokenizer(const void *bytes, size_t size, const SpecialTokens &special) {
  io::Result<TokenizerFile> file = parseTokenizerFile(bytes, size);
  if (!file)
    return file.error();
  const nlohmann::json &rest = file->rest;
  Fields fields(rest, "");
  if (!rest.is_object())
    return io::Error{"must be a JSON object"};
  if (fields.string("version") != "1.0")
    fields.fail("only the version 1.0 is known", "version");
  fields.ignore("truncation"); // how much of a text is wanted, and how short ones are filled up, is the caller's
  fields.ignore("padding");
  Parts parts;
  readStep(fields, rest, "model", parts.bpe,
           [&](const nlohmann::json &object, const char *) { return readModel(object, *file); });
  if (!parts.bpe)
    fields.fail("is missing", "model");
  readStep(fields, rest, "normalizer", parts.normalizer, Normalizer::read);
  readStep(fields, rest, "pre_tokenizer", parts.preTokenizer, PreTokenizer::read);
  readStep(fields, rest, "post_processor", parts.frame, readFrame);
  readStep(fields, rest, "decoder", parts.decoder, Decoder::read);
  if (parts.bpe)
    readStep(fields, rest, "added_tokens", parts.added, [&](const nlohmann::json &array, const char *) {
      return AddedTokens::read(array, *parts.bpe, parts.normalizer.get());
    });
  if (io::Status status = fields.finish(); !status)
    return status.error();
  auto tokenizer = std::make_unique<JsonTokenizer>(std::move(parts));
  if (io::Status status = tokenizer->frame(special); !status)
    return status.error();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

} // namespace chimera::text
